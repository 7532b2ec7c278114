/// Where negotiation stands after some input.
public enum NBDNegotiationOutcome: Sendable, Hashable {
  /// More input is wanted, once what is to be sent has been sent.
  case open
  /// What is to be sent is sent in the clear; then TLS begins.
  case startTLS
  /// What is to be sent is sent; what the client sends from now on are requests.
  case transmission(NBDSession)
  /// What is to be sent is sent, and then the connection is closed. The reason is for logs.
  case disconnect(String)
}
