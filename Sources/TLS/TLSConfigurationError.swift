/// Why a ``TLSContext`` cannot be made.
public struct TLSConfigurationError: Error, Sendable, Hashable, CustomStringConvertible {
  /// The file that is wrong; empty where none is.
  public var file: String
  public var reason: String

  public init(file: String, reason: String) {
    self.file = file
    self.reason = reason
  }

  public var description: String { file.isEmpty ? reason : "\(file): \(reason)" }
}
