public import NBDProtocol
public import TLS

extension NBDServerSecurity {
  /// What an operator says about TLS, by the names that both tools give their options.
  public struct Options: Sendable, Hashable {
    /// `--tls`; nil: required where there is something to prove who the server is.
    public var policy: NBDTLSPolicy?
    /// `--tls-certificate`, `--tls-key`, `--tls-client-ca`, `--tls-psk-file`
    public var certificateFile: String?
    public var keyFile: String?
    public var clientAuthorityFile: String?
    public var sharedKeyFile: String?

    public init(
      policy: NBDTLSPolicy? = nil, certificateFile: String? = nil, keyFile: String? = nil,
      clientAuthorityFile: String? = nil, sharedKeyFile: String? = nil
    ) {
      self.policy = policy
      self.certificateFile = certificateFile
      self.keyFile = keyFile
      self.clientAuthorityFile = clientAuthorityFile
      self.sharedKeyFile = sharedKeyFile
    }

    /// Which options do not go together, and why; nil when all do.
    public var problem: String? {
      let isAnyGiven = certificateFile != nil || keyFile != nil || clientAuthorityFile != nil || sharedKeyFile != nil
      if policy == NBDTLSPolicy.none, isAnyGiven { return "--tls off leaves no use for files of TLS" }
      if certificateFile != nil, keyFile == nil { return "--tls-certificate needs --tls-key" }
      if keyFile != nil, certificateFile == nil { return "--tls-key needs --tls-certificate" }
      if clientAuthorityFile != nil, certificateFile == nil { return "--tls-client-ca needs --tls-certificate" }
      // Under TLS 1.3 a server that has both takes the certificate, also with clients that have nothing but a key.
      if certificateFile != nil, sharedKeyFile != nil {
        return "--tls-psk-file is instead of --tls-certificate: give one of them"
      }
      if let policy, policy != .none, certificateFile == nil, sharedKeyFile == nil {
        return "--tls \(policy.rawValue) needs --tls-certificate and --tls-key, or --tls-psk-file"
      }
      return nil
    }

    /// Reads the files.
    public func load() throws(TLSConfigurationError) -> NBDServerSecurity {
      guard certificateFile != nil || sharedKeyFile != nil else { return .none }
      let context = try TLSContext(
        TLSConfiguration(
          role: .server, certificateFile: certificateFile, keyFile: keyFile, authorityFile: clientAuthorityFile,
          sharedKeyFile: sharedKeyFile))
      return policy == .offered ? .offered(context) : .required(context)
    }
  }
}
