/// From which files a ``TLSContext`` is made. All are in PEM form.
public struct TLSConfiguration: Sendable, Hashable {
  public enum Role: Sendable, Hashable {
    case server
    case client
  }

  public var role: Role
  /// Our certificate, and behind it those between it and the root. A server has one, or keys shared beforehand.
  public var certificateFile: String?
  /// The certificate's private key, without a passphrase.
  public var keyFile: String?
  /// Certificates of authorities. A server that has some asks clients for a certificate by one of them, and refuses those
  /// without; a client without any takes the system's.
  public var authorityFile: String?
  /// Keys shared beforehand, for a server: a line `identity:key` for each, the key in hexadecimal. A client that has one needs
  /// no certificate, nor does the server.
  public var sharedKeyFile: String?
  /// Holds TLS 1.2, for tests and peers that fail with later ones.
  public var isLimitedToVersion12 = false

  public init(
    role: Role, certificateFile: String? = nil, keyFile: String? = nil, authorityFile: String? = nil,
    sharedKeyFile: String? = nil
  ) {
    self.role = role
    self.certificateFile = certificateFile
    self.keyFile = keyFile
    self.authorityFile = authorityFile
    self.sharedKeyFile = sharedKeyFile
  }
}
