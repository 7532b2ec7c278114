/// The case does not apply to this target; the reason goes into the report.
public struct ConformanceSkip: Error, CustomStringConvertible {
  public let description: String

  public init(_ description: String) {
    self.description = description
  }
}
