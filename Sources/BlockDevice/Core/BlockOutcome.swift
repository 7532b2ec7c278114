/// How a request ended.
@frozen public enum BlockOutcome: UInt8, Sendable, Hashable {
  case success
  /// The device reports an error: see the status.
  case deviceError
  /// The device's content differs from the buffer (compare).
  case compareMismatch
  /// The data came damaged over the wire: its digest was wrong.
  case dataDigestError
  /// The device reported success, but sent too little data.
  case shortData
  /// The connection was lost. Whether the device has carried the request out, or still will, is unknown.
  case connectionLost
  /// The device or its connection was gone before any of the request was sent: it has not been carried out.
  case notSent
  /// The operating system reports an error (file-backed devices): the status is its `errno`.
  case systemError
}
