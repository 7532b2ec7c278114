/// What a completion of a ``StreamSocket`` means.
public enum SocketEvent: Equatable, Sendable {
  /// The connection stands.
  case connected
  /// So many bytes came.
  case received(Int)
  /// The peer has closed its side.
  case endOfStream
  /// So many bytes are with the kernel.
  case sent(Int)
  /// An operation failed; the socket should be closed. Not reported once closing has begun.
  case failed(operation: String, errno: Int32)
  /// Closed, and the kernel holds none of the socket's buffers any more.
  case closed
  /// Nothing of interest.
  case none
}
