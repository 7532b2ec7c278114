/// Why exports cannot be served where an option says.
public struct ExportSocketError: Error, Sendable, Hashable, CustomStringConvertible {
  /// The option and its value.
  public var option: String
  public var reason: String

  public init(option: String, reason: String) {
    self.option = option
    self.reason = reason
  }

  public var description: String { "\(option): \(reason)" }
}
