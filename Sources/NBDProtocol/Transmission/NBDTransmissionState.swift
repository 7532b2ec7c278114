/// Where a connection in the transmission phase stands.
public enum NBDTransmissionState: Sendable, Hashable {
  case open
  /// The client has said goodbye (NBD_CMD_DISC): what is outstanding is answered, nothing is taken any more.
  case disconnecting
  /// The client has broken the protocol in a way that leaves no common ground: the connection is to be closed.
  case violated(NBDViolation)
}
