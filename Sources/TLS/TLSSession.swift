internal import COpenSSL

/// One end of a TLS connection, sans-I/O: ciphertext in, plaintext out; plaintext in, ciphertext out.
///
/// Ciphertext is lent for the time of a call and taken as far as there is room for what it says; so the stream's own flow
/// control is all there is, and nothing grows. What is to be sent (``output``) has a fixed room, 128 KiB, and does not move
/// until it has been sent, so that the kernel may read it meanwhile. Once a session is open nothing is allocated.
///
/// Used by one thread at a time. Its owner keeps to it that what ``output`` says is still there while it is being sent.
public struct TLSSession: ~Copyable {
  private static let outputByteCount = 8 * Int(nvmeof_tls_record_room)
  private static let recordByteCount = Int(nvmeof_tls_record_payload)

  public private(set) var state = TLSState.handshaking
  private let ssl: OpaquePointer
  /// What belongs to it lasts as long as this.
  private let context: TLSContext
  private let buffers: UnsafeMutablePointer<nvmeof_tls_buffers>
  /// Plaintext that does not fill a record yet.
  private let staging: UnsafeMutableRawPointer
  private var stagedByteCount = 0
  /// There was no room for a record when one was asked for: it is made as soon as there is.
  private var isFlushWanted = false
  private var isSendingEnded = false

  /// - Parameter serverName: of a client: whom it means to talk to, and whose certificate it wants.
  public init(_ context: TLSContext, serverName: String? = nil) {
    self.context = context
    buffers = .allocate(capacity: 1)
    let output = UnsafeMutablePointer<UInt8>.allocate(capacity: Self.outputByteCount)
    buffers.initialize(to: nvmeof_tls_buffers())
    buffers.pointee.output = output
    buffers.pointee.output_capacity = Self.outputByteCount
    staging = .allocate(byteCount: Self.recordByteCount, alignment: 64)
    // Each of them fails for want of memory alone.
    guard let ssl = SSL_new(context.pointer), let bio = nvmeof_tls_bio(buffers) else {
      fatalError("out of memory")
    }
    self.ssl = ssl
    SSL_set_bio(ssl, bio, bio)
    nvmeof_tls_keep_unknown_identity(ssl, buffers)
    if context.configuration.role == .server { SSL_set_accept_state(ssl) } else { SSL_set_connect_state(ssl) }
    if let serverName, nvmeof_tls_set_server_name(ssl, serverName) != 1 || SSL_set1_host(ssl, serverName) != 1 {
      fail(.handshake, "\"\(serverName)\" is no name of a server")
    } else if context.configuration.role == .client {
      // A client has the first word.
      advanceHandshake()
    }
  }

  deinit {
    SSL_free(ssl)
    buffers.pointee.output?.deallocate()
    buffers.deallocate()
    staging.deallocate()
  }

  /// For people, for example "TLSv1.3".
  public var version: String { String(cString: SSL_get_version(ssl)) }

  // MARK: Ciphertext in, plaintext out

  /// No more plaintext comes: the peer has said so, or the session has failed.
  public var hasEnded: Bool {
    switch state {
    case .handshaking, .open: false
    case .ended, .failed: true
    }
  }

  /// Plaintext is there that ``receive(_:into:)`` gives without any more ciphertext.
  public var hasPlaintext: Bool { state == .open && SSL_pending(ssl) > 0 }

  /// Takes ciphertext, and puts the plaintext that it holds to `plaintext`.
  ///
  /// - Returns: how much ciphertext has been taken, and how much plaintext is there. All is taken but where there is no
  ///   room for more plaintext, where ``output`` is full during the handshake, or where ``state`` has ended.
  public mutating func receive(
    _ ciphertext: UnsafeRawBufferPointer, into plaintext: UnsafeMutableRawBufferPointer
  ) -> (taken: Int, produced: Int) {
    buffers.pointee.input = ciphertext.baseAddress?.assumingMemoryBound(to: UInt8.self)
    buffers.pointee.input_count = ciphertext.count
    if state == .handshaking { advanceHandshake() }
    var produced = 0
    while state == .open, produced < plaintext.count {
      var count = 0
      ERR_clear_error()
      let result = SSL_read_ex(ssl, plaintext.baseAddress! + produced, plaintext.count - produced, &count)
      guard result == 1 else {
        take(result)
        break
      }
      produced += count
    }
    let taken = ciphertext.count - buffers.pointee.input_count
    buffers.pointee.input = nil
    buffers.pointee.input_count = 0
    return (taken, produced)
  }

  /// The stream has ended. Without close_notify before it that is a failure.
  public mutating func endOfStream() {
    switch state {
    case .handshaking: fail(.handshake, "the peer has closed the connection")
    case .open: fail(.truncated, "the peer has closed the connection without close_notify")
    case .ended, .failed: break
    }
  }

  private mutating func advanceHandshake() {
    ERR_clear_error()
    let result = SSL_do_handshake(ssl)
    if result == 1 { state = .open } else { take(result) }
  }

  /// What it means that a call has not succeeded.
  private mutating func take(_ result: Int32) {
    switch SSL_get_error(ssl, result) {
    case SSL_ERROR_WANT_READ, SSL_ERROR_WANT_WRITE: break
    case SSL_ERROR_ZERO_RETURN: state = .ended
    default:
      var reason = TLSErrorQueue.take()?.reason ?? "unknown error"
      let verification = SSL_get_verify_result(ssl)
      let identity = String(cString: nvmeof_tls_unknown_identity(buffers))
      if state == .handshaking, verification != Int(X509_V_OK) {
        reason += ": " + String(cString: X509_verify_cert_error_string(verification))
      } else if state == .handshaking, !identity.isEmpty {
        reason = "there is no key for the identity \"\(identity)\" (\(reason))"
      }
      fail(state == .handshaking ? .handshake : .transmission, reason)
    }
  }

  // Not inlined: once in a session's life, and its callers are there for each record.
  @inline(never) private mutating func fail(_ kind: TLSFailure.Kind, _ reason: String) {
    state = .failed(TLSFailure(kind: kind, reason: reason))
    stagedByteCount = 0
  }

  // MARK: Plaintext in, ciphertext out

  /// Data may be sent: the session is open, and a peer that has nothing more to say may still listen.
  private var takesData: Bool {
    if isSendingEnded { return false }
    return state == .open || state == .ended
  }

  /// The room of ``output`` has a place for one more record.
  private var hasRecordRoom: Bool {
    buffers.pointee.output_capacity - buffers.pointee.output_end >= Int(nvmeof_tls_record_room)
  }

  /// Takes plaintext: into records that are full at once, the rest when ``flush()`` is called or a record's worth is there.
  ///
  /// - Returns: how many bytes have been taken. Fewer than there are: ``output`` is full, or ``state`` is not `open`.
  public mutating func write(_ plaintext: UnsafeRawBufferPointer) -> Int {
    var taken = 0
    while taken < plaintext.count, takesData {
      let left = plaintext.count - taken
      let from = plaintext.baseAddress! + taken
      if stagedByteCount == 0, left >= Self.recordByteCount {
        guard encrypt(from, Self.recordByteCount) else { break }
        taken += Self.recordByteCount
        continue
      }
      if stagedByteCount == Self.recordByteCount {
        flush()
        if stagedByteCount > 0 { break }
        continue
      }
      let count = min(left, Self.recordByteCount - stagedByteCount)
      (staging + stagedByteCount).copyMemory(from: from, byteCount: count)
      stagedByteCount += count
      taken += count
    }
    return taken
  }

  /// Makes a record of the plaintext that has been taken and is in none yet: now, or when ``didSend(byteCount:)`` makes room.
  public mutating func flush() {
    isFlushWanted = stagedByteCount > 0
    guard stagedByteCount > 0, takesData, encrypt(staging, stagedByteCount) else { return }
    stagedByteCount = 0
    isFlushWanted = false
  }

  private mutating func encrypt(_ base: UnsafeRawPointer, _ byteCount: Int) -> Bool {
    guard hasRecordRoom else { return false }
    var count = 0
    ERR_clear_error()
    let result = SSL_write_ex(ssl, base, byteCount, &count)
    // With room for the record it either is all there, or there is no session any more.
    if result == 1 { return true }
    encryptionFailed()
    return false
  }

  @inline(never) private mutating func encryptionFailed() {
    fail(.transmission, TLSErrorQueue.take()?.reason ?? "the session has ended")
  }

  /// Says that nothing more will be sent (close_notify).
  public mutating func endSending() {
    flush()
    guard takesData, stagedByteCount == 0 else { return }
    isSendingEnded = true
    ERR_clear_error()
    SSL_shutdown(ssl)
  }

  /// Ciphertext to be sent; more may follow behind it. It stays where it is until ``didSend(byteCount:)``.
  public var output: UnsafeRawBufferPointer {
    UnsafeRawBufferPointer(
      start: buffers.pointee.output! + buffers.pointee.output_start,
      count: buffers.pointee.output_end - buffers.pointee.output_start)
  }

  /// Everything that was written is with whoever sends.
  public var hasNothingToSend: Bool {
    stagedByteCount == 0 && buffers.pointee.output_start == buffers.pointee.output_end
  }

  /// So many bytes of ``output`` have been sent, and their memory is free again.
  public mutating func didSend(byteCount: Int) {
    // Read, then written: the compiler's thread sanitizer fails on += here (Swift 6.3.1).
    buffers.pointee.output_start = buffers.pointee.output_start + byteCount
    precondition(buffers.pointee.output_start <= buffers.pointee.output_end, "more is sent than there is")
    if buffers.pointee.output_start == buffers.pointee.output_end {
      buffers.pointee.output_start = 0
      buffers.pointee.output_end = 0
    }
    if isFlushWanted || stagedByteCount == Self.recordByteCount { flush() }
  }
}
