/// Where a ``TLSSession`` stands.
public enum TLSState: Sendable, Hashable {
  case handshaking
  case open
  /// The peer has said that it sends nothing more (close_notify).
  case ended
  /// No data goes either way any more. What is to be sent holds an alert, if the peer is to be told.
  case failed(TLSFailure)
}
