/// A target that cannot be understood: the text, the part of it that is wrong, what is wrong, and what would be right.
public struct TargetIdentifierError: Error, Hashable, Sendable, CustomStringConvertible {
  public var text: String
  /// The part at fault, as it stands in the text; empty if something is missing.
  public var part: String
  public var problem: String
  public var advice: String

  public init(text: String, part: String, problem: String, advice: String) {
    self.text = text
    self.part = part
    self.problem = problem
    self.advice = advice
  }

  public var description: String {
    let place = part.isEmpty || part == text ? "" : " at \"\(part)\""
    return "target \"\(text)\"\(place): \(problem); \(advice)"
  }
}
