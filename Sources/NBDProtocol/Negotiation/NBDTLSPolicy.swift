/// The server's mode ("Server-side requirements").
public enum NBDTLSPolicy: String, Sendable, Hashable {
  /// NOTLS
  case none
  /// SELECTIVETLS without exports that need it: as the client likes.
  case offered
  /// FORCEDTLS
  case required
}
