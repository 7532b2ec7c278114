internal import NVMeProtocol
internal import RingReactor
internal import TLS

/// The stream of bytes to and from a client: its socket as it is, or TLS over it.
///
/// It is used as a ``StreamSocket``, and in the clear is nothing but one: each operation asks once whether there is TLS.
/// Under TLS, what is received comes decrypted, and what is sent has been sent when it has been encrypted; so the owner
/// asks ``hasNothingToSend`` before it closes. Something may be there without the socket's doing: then the owner is marked
/// ready, and takes it by ``next(source:)``.
struct NBDStream: ~Copyable {
  private var socket: StreamSocket
  /// Nil in the clear.
  private var tls: UnsafeMutablePointer<NBDSecureStream>?

  init(accepted fileDescriptor: Int32) { socket = StreamSocket(accepted: fileDescriptor) }

  deinit {
    guard let tls else { return }
    tls.deinitialize(count: 1)
    tls.deallocate()
  }

  func setKeepAlive() { socket.setKeepAlive() }
  func setSendBufferSize(_ byteCount: Int) {
    socket.setBufferSizes(receiveBytes: nil, sendBytes: Int32(clamping: byteCount))
  }

  /// From here on all bytes are TLS's. Those that have been received before are given along: they are read as part of the
  /// handshake, and as nothing else. Nothing is being received or sent.
  mutating func beginTLS(_ context: TLSContext, received: UnsafeRawBufferPointer) {
    precondition(tls == nil && !socket.isReceiving && !socket.isSending, "TLS begins between two messages")
    let tls = UnsafeMutablePointer<NBDSecureStream>.allocate(capacity: 1)
    tls.initialize(to: NBDSecureStream(context, received: received))
    self.tls = tls
  }

  var isSecure: Bool { tls != nil }
  /// Why TLS has ended, if that was against the rules.
  var failure: TLSFailure? { tls?.pointee.failure }

  /// An operation has been started and has not ended.
  var isReceiving: Bool { tls?.pointee.isReceiving ?? socket.isReceiving }
  var isSending: Bool { tls?.pointee.isSending ?? socket.isSending }
  /// All that was given to be sent is with the kernel.
  var hasNothingToSend: Bool { !socket.isSending && (tls?.pointee.hasNothingToSend ?? true) }

  /// What a completion of the socket means.
  mutating func completed(_ completion: RingCompletion, source: ReactorSource) -> SocketEvent {
    let event = socket.completed(completion, source: source)
    guard let tls else { return event }
    // A send that finds the peer gone ends with the same word as the input does: but there is nothing to be decrypted for it.
    if completion.operation == StreamSocket.Operation.send, case .endOfStream = event { return event }
    return tls.pointee.completed(event, &socket, source)
  }

  /// What has come about by itself: to be asked for whenever the owner has been marked ready.
  mutating func next(source: ReactorSource) -> SocketEvent {
    guard let tls else { return .none }
    return tls.pointee.next(&socket, source)
  }

  /// Starts receiving into `count` vectors, which stay until the end of it.
  mutating func receive(vectors: UnsafeMutablePointer<IOVector>, count: Int, source: ReactorSource) {
    if let tls { return tls.pointee.receive(UnsafeBufferPointer(start: vectors, count: count), &socket, source) }
    if count == 1 {
      socket.receive(into: vectors[0].base!, count: vectors[0].count, source: source)
    } else {
      socket.receive(vectors: UnsafeMutableRawPointer(vectors), count: count, source: source)
    }
  }

  /// Receives what is there; `none` when nothing is.
  mutating func receiveNow(
    vectors: UnsafeMutablePointer<IOVector>, count: Int, source: ReactorSource
  ) -> SocketEvent {
    guard let tls else { return socket.receiveNow(vectors: UnsafeMutableRawPointer(vectors), count: count) }
    return tls.pointee.receiveNow(UnsafeBufferPointer(start: vectors, count: count), &socket, source)
  }

  /// Sends what there is room for at once; `none` when that is nothing.
  mutating func sendNow(vectors: UnsafeMutablePointer<IOVector>, count: Int, source: ReactorSource) -> SocketEvent {
    guard let tls else { return socket.sendNow(vectors: UnsafeMutableRawPointer(vectors), count: count) }
    return tls.pointee.sendNow(UnsafeBufferPointer(start: vectors, count: count), &socket, source)
  }

  /// Starts sending `count` vectors, which stay until the end of it.
  mutating func send(vectors: UnsafeMutablePointer<IOVector>, count: Int, source: ReactorSource) {
    if let tls { return tls.pointee.send(UnsafeBufferPointer(start: vectors, count: count), source) }
    socket.send(vectors: UnsafeMutableRawPointer(vectors), count: count, source: source)
  }

  /// Says goodbye where the stream has a word for it (close_notify); it is something to be sent.
  mutating func endSending(source: ReactorSource) { tls?.pointee.endSending(&socket, source) }

  /// As ``StreamSocket/endSending()``, ``StreamSocket/unacknowledgedByteCount`` and ``StreamSocket/beginClose(source:)``.
  func closeSending() { socket.endSending() }
  var unacknowledgedByteCount: Int { socket.unacknowledgedByteCount }
  mutating func beginClose(source: ReactorSource) -> Bool { socket.beginClose(source: source) }
}
