/// Why there can be no such export: the field, its value, and the rule that it breaks.
public struct ExportError: Error, Sendable, Hashable, CustomStringConvertible {
  public var field: String
  public var value: String
  public var rule: String

  public init(field: String, value: String, rule: String) {
    self.field = field
    self.value = value
    self.rule = rule
  }

  public var description: String { "\(field) \"\(value)\": \(rule)" }
}
