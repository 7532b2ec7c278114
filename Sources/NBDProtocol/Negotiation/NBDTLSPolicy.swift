/// The server's mode ("Server-side requirements"); the raw values are what an operator writes.
public enum NBDTLSPolicy: String, Sendable, Hashable, CaseIterable {
  /// NOTLS
  case none = "off"
  /// SELECTIVETLS without exports that need it: as the client likes.
  case offered = "allow"
  /// FORCEDTLS
  case required = "require"
}
