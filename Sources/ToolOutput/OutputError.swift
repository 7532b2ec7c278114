internal import Glibc

/// Output that could not be written, in whole or in part.
public struct OutputError: Error, Hashable, Sendable, CustomStringConvertible {
  /// What was written to.
  public var name: String
  /// The system's reason.
  public var code: Int32

  /// Whoever was to read it has gone: nobody wants to be told, as with `| head`.
  public var hasReaderGone: Bool { code == EPIPE }

  public var description: String { "\(name) cannot be written: \(String(cString: strerror(code)))" }
}
