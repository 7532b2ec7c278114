import COpenSSL

/// A client's side of TLS by OpenSSL alone, with a key that it shares with the server.
///
/// Keys and not certificates: nobody asks what time it is, and no signature is of another length today.
final class HonestClient {
  static let identity = "fuzz"
  static let key = [UInt8](repeating: 0x5A, count: 32)

  private nonisolated(unsafe) static let newest = context(isLimitedToVersion12: false)
  private nonisolated(unsafe) static let version12 = context(isLimitedToVersion12: true)

  private let ssl: OpaquePointer
  private let incoming: OpaquePointer
  private let outgoing: OpaquePointer

  init(isLimitedToVersion12: Bool) {
    ssl = SSL_new(isLimitedToVersion12 ? Self.version12 : Self.newest)!
    incoming = BIO_new(BIO_s_mem())!
    outgoing = BIO_new(BIO_s_mem())!
    // They are the session's from here on.
    SSL_set_bio(ssl, incoming, outgoing)
    SSL_set_connect_state(ssl)
    advance()
  }

  deinit { SSL_free(ssl) }

  private static func context(isLimitedToVersion12: Bool) -> OpaquePointer {
    let context = SSL_CTX_new(TLS_client_method())!
    if isLimitedToVersion12 { _ = nvmeof_tls_limit_version(context, nvmeof_tls_1_2) }
    SSL_CTX_set_psk_client_callback(context) { _, _, identity, identityCapacity, key, keyCapacity in
      let name = Array(HonestClient.identity.utf8CString)
      guard let identity, let key, name.count <= identityCapacity, HonestClient.key.count <= keyCapacity else {
        return 0
      }
      identity.update(from: name, count: name.count)
      key.update(from: HonestClient.key, count: HonestClient.key.count)
      return UInt32(HonestClient.key.count)
    }
    return context
  }

  /// The handshake is done as far as the client is concerned.
  var isOpen: Bool { SSL_get_state(ssl) == TLS_ST_OK }

  private func advance() {
    ERR_clear_error()
    if !isOpen { SSL_do_handshake(ssl) }
  }

  /// Takes ciphertext.
  ///
  /// - Returns: the plaintext that it holds.
  func receive(_ ciphertext: [UInt8]) -> [UInt8] {
    if !ciphertext.isEmpty { BIO_write(incoming, ciphertext, Int32(ciphertext.count)) }
    advance()
    var plaintext: [UInt8] = []
    var buffer = [UInt8](repeating: 0, count: 4096)
    while isOpen {
      var count = 0
      ERR_clear_error()
      guard SSL_read_ex(ssl, &buffer, buffer.count, &count) == 1 else { break }
      plaintext += buffer[..<count]
    }
    return plaintext
  }

  /// Encrypts as much as fits a record; false when there is no session.
  func send(_ plaintext: [UInt8]) -> Bool {
    guard isOpen else { return false }
    var count = 0
    ERR_clear_error()
    return SSL_write_ex(ssl, plaintext, plaintext.count, &count) == 1
  }

  /// Says goodbye (close_notify).
  func endSending() {
    ERR_clear_error()
    if isOpen { SSL_shutdown(ssl) }
  }

  /// Ciphertext for the server.
  func takeOutput() -> [UInt8] {
    let count = BIO_ctrl_pending(outgoing)
    guard count > 0 else { return [] }
    return [UInt8](unsafeUninitializedCapacity: count) { buffer, filled in
      filled = Int(BIO_read(outgoing, buffer.baseAddress, Int32(count)))
    }
  }
}
