internal import COpenSSL
internal import Glibc

/// What sessions have in common: certificates, keys, authorities, rules. TLS 1.2 is the least, 1.3 what is preferred.
///
/// Any thread may use it; files are read once, when it is made.
public final class TLSContext: @unchecked Sendable {
  /// An SSL_CTX, which counts its own references and is not changed any more.
  let pointer: OpaquePointer
  public let configuration: TLSConfiguration
  /// Ours; nil where there is none.
  public let certificate: TLSCertificate?
  /// Known to the SSL_CTX by its address: sessions keep this object.
  private let sharedKeys: TLSSharedKeys?

  public init(_ configuration: TLSConfiguration) throws(TLSConfigurationError) {
    guard nvmeof_tls_initialize() == 1,
      let pointer = SSL_CTX_new(configuration.role == .server ? TLS_server_method() : TLS_client_method()),
      nvmeof_tls_configure(pointer) == 1
    else { throw Self.error("", "OpenSSL cannot be used") }
    if configuration.isLimitedToVersion12 { _ = nvmeof_tls_limit_version(pointer, nvmeof_tls_1_2) }
    do throws(TLSConfigurationError) {
      certificate = try Self.useCertificate(pointer, configuration)
      try Self.useAuthorities(pointer, configuration)
      sharedKeys = try configuration.sharedKeyFile.map { file throws(TLSConfigurationError) in
        try Self.checkReadable(file)
        return try TLSSharedKeys(file: file)
      }
    } catch {
      SSL_CTX_free(pointer)
      throw error
    }
    self.pointer = pointer
    self.configuration = configuration
    sharedKeys?.use(pointer)
  }

  deinit { SSL_CTX_free(pointer) }

  private static func useCertificate(
    _ pointer: OpaquePointer, _ configuration: TLSConfiguration
  ) throws(TLSConfigurationError) -> TLSCertificate? {
    guard let certificateFile = configuration.certificateFile else {
      if configuration.role == .server, configuration.sharedKeyFile == nil {
        throw TLSConfigurationError(file: "", reason: "a server needs a certificate, or shared keys")
      }
      return nil
    }
    guard let keyFile = configuration.keyFile else {
      throw TLSConfigurationError(file: certificateFile, reason: "a certificate needs its private key")
    }
    try checkReadable(certificateFile)
    guard SSL_CTX_use_certificate_chain_file(pointer, certificateFile) == 1 else {
      throw error(certificateFile, "no certificate in PEM form")
    }
    // Without this OpenSSL asks on the terminal.
    SSL_CTX_set_default_passwd_cb(pointer) { _, _, _, _ in -1 }
    try checkReadable(keyFile)
    guard SSL_CTX_use_PrivateKey_file(pointer, keyFile, SSL_FILETYPE_PEM) == 1 else {
      let failure = TLSErrorQueue.take()
      switch failure.map({ ($0.library, $0.number) }) {
      case (Int32(ERR_LIB_X509), X509_R_KEY_VALUES_MISMATCH)?, (Int32(ERR_LIB_X509), X509_R_KEY_TYPE_MISMATCH)?:
        throw TLSConfigurationError(file: keyFile, reason: "not the key of the certificate in \(certificateFile)")
      case (Int32(ERR_LIB_PEM), PEM_R_BAD_PASSWORD_READ)?,
        (Int32(ERR_LIB_CRYPTO), Int32(ERR_R_INTERRUPTED_OR_CANCELLED))?:
        throw TLSConfigurationError(
          file: keyFile, reason: "the key has a passphrase, which nobody is there to give: remove it")
      default:
        throw TLSConfigurationError(
          file: keyFile, reason: "no private key in PEM form" + (failure.map { " (\($0.reason))" } ?? ""))
      }
    }
    guard let certificate = SSL_CTX_get0_certificate(pointer) else { return nil }
    return TLSCertificate(certificate)
  }

  private static func useAuthorities(
    _ pointer: OpaquePointer, _ configuration: TLSConfiguration
  ) throws(TLSConfigurationError) {
    if let file = configuration.authorityFile {
      try checkReadable(file)
      guard SSL_CTX_load_verify_file(pointer, file) == 1 else {
        throw error(file, "no certificates of authorities in PEM form")
      }
      if configuration.role == .server {
        // Clients with several certificates choose by these names.
        SSL_CTX_set_client_CA_list(pointer, SSL_load_client_CA_file(file))
      }
    } else if configuration.role == .client {
      SSL_CTX_set_default_verify_paths(pointer)
    } else {
      return
    }
    SSL_CTX_set_verify(
      pointer, configuration.role == .server ? nvmeof_tls_verify_client : nvmeof_tls_verify_peer, nil)
  }

  /// The system says better than OpenSSL what is wrong with a file.
  private static func checkReadable(_ file: String) throws(TLSConfigurationError) {
    let descriptor = open(file, O_RDONLY | O_CLOEXEC | O_NONBLOCK)
    guard descriptor >= 0 else { throw TLSConfigurationError(file: file, reason: String(cString: strerror(errno))) }
    defer { close(descriptor) }
    var status = stat()
    guard fstat(descriptor, &status) == 0, status.st_mode & S_IFMT == S_IFREG else {
      throw TLSConfigurationError(file: file, reason: "not a regular file")
    }
  }

  private static func error(_ file: String, _ reason: String) -> TLSConfigurationError {
    TLSConfigurationError(file: file, reason: reason + (TLSErrorQueue.take().map { " (\($0.reason))" } ?? ""))
  }
}
