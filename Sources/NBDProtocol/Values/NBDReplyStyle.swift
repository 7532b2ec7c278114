/// How requests and replies look, as negotiated.
public enum NBDReplyStyle: UInt8, Sendable, Hashable {
  /// Simple replies to requests of 28 bytes.
  case simple
  /// Structured replies to requests of 28 bytes.
  case structured
  /// Extended replies to extended requests, 32 bytes both.
  case extended
}
