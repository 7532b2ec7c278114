/// A policy or path that cannot be: which field, its value, and the rule it breaks.
public struct MultipathPolicyError: Error, Sendable, Hashable, CustomStringConvertible {
  public var field: String
  public var value: String
  public var rule: String

  public init(field: String, value: String, rule: String) {
    self.field = field
    self.value = value
    self.rule = rule
  }

  public var description: String { "\(field) cannot be \(value): \(rule)" }
}
