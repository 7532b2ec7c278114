/// What ends a ``TLSSession`` against the rules.
public struct TLSFailure: Error, Sendable, Hashable, CustomStringConvertible {
  public enum Kind: Sendable, Hashable {
    /// There never was a session: no common parameters, a certificate that is refused, or a peer that speaks no TLS.
    case handshake
    /// What came cannot be right, or the peer has said that what we sent is not.
    case transmission
    /// The stream ended without close_notify: data may be missing.
    case truncated
  }

  public var kind: Kind
  /// In OpenSSL's words.
  public var reason: String

  public init(kind: Kind, reason: String) {
    self.kind = kind
    self.reason = reason
  }

  public var description: String {
    switch kind {
    case .handshake: "TLS handshake: \(reason)"
    case .transmission, .truncated: "TLS: \(reason)"
    }
  }
}
