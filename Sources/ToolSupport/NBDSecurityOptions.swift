public import ArgumentParser
public import NBDProtocol
public import NBDServer

/// The options about TLS that tools which serve NBD have.
public struct NBDSecurityOptions: ParsableArguments {
  @Option(
    help: ArgumentHelp(
      "off, allow (as the client likes) or require (the default where there is a certificate or a key)",
      valueName: "policy"),
    transform: { text throws in
      guard let policy = NBDTLSPolicy(rawValue: text) else {
        let words = NBDTLSPolicy.allCases.map(\.rawValue).joined(separator: ", ")
        throw ValidationError("'\(text)' is not one of \(words)")
      }
      return policy
    })
  public var tls: NBDTLSPolicy?

  @Option(help: ArgumentHelp("The server's certificate, those that signed it behind it (PEM)", valueName: "file"))
  public var tlsCertificate: String?

  @Option(help: ArgumentHelp("The certificate's private key, without a passphrase (PEM)", valueName: "file"))
  public var tlsKey: String?

  @Option(
    name: .customLong("tls-client-ca"),
    help: ArgumentHelp("Let in only clients with a certificate signed by one of these (PEM)", valueName: "file"))
  public var tlsClientCA: String?

  @Option(
    help: ArgumentHelp(
      "Keys shared with clients instead of certificates: lines IDENTITY:HEXADECIMAL", valueName: "file"))
  public var tlsPskFile: String?

  public init() {}

  public func validate() throws { if let problem = options.problem { throw ValidationError(problem) } }

  public var options: NBDServerSecurity.Options {
    NBDServerSecurity.Options(
      policy: tls, certificateFile: tlsCertificate, keyFile: tlsKey, clientAuthorityFile: tlsClientCA,
      sharedKeyFile: tlsPskFile)
  }
}
