/// Why a controller cannot be a path of a multipath device: which field, its value, and the rule it breaks.
public struct MultipathPathError: Error, Sendable, Hashable, CustomStringConvertible {
  public var field: String
  public var value: String
  public var rule: String

  public var description: String { "the path's \(field) cannot be \(value): \(rule)" }
}
