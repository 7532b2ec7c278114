internal import Glibc
internal import NVMeProtocol
internal import RingReactor
internal import TLS

/// TLS over a client's socket: moves ciphertext between socket and session, and tells of plaintext what a socket would.
///
/// Ciphertext is received into memory of its own, and only when all that has been is taken: a client that sends more than
/// the owner wants waits in its socket. One receive and one send are with the kernel at most.
struct NBDSecureStream: ~Copyable {
  private static let inputByteCount = 64 << 10

  private var session: TLSSession
  private let input: UnsafeMutableRawPointer
  private var inputStart = 0
  private var inputEnd = 0
  /// What the kernel is to send of the session's output, and where to it receives: read while that is in flight.
  private let outputVector: UnsafeMutablePointer<IOVector>
  private let inputVector: UnsafeMutablePointer<IOVector>
  /// What the owner waits for; nil when it does not.
  private var wanted: UnsafeBufferPointer<IOVector>?
  private var unsent: UnsafeBufferPointer<IOVector>?
  /// The socket has said that no more comes.
  private var isInputEnded = false

  /// - Parameter received: what has come of the handshake already.
  init(_ context: TLSContext, received: UnsafeRawBufferPointer) {
    session = TLSSession(context)
    // More than may have been received at a time in the clear.
    let byteCount = max(Self.inputByteCount, received.count)
    input = .allocate(byteCount: byteCount, alignment: 4096)
    UnsafeMutableRawBufferPointer(start: input, count: byteCount).copyMemory(from: received)
    inputEnd = received.count
    outputVector = .allocate(capacity: 1)
    inputVector = .allocate(capacity: 1)
  }

  deinit {
    input.deallocate()
    outputVector.deallocate()
    inputVector.deallocate()
  }

  var isReceiving: Bool { wanted != nil }
  var isSending: Bool { unsent != nil }
  var hasNothingToSend: Bool { session.hasNothingToSend }
  var failure: TLSFailure? { if case .failed(let failure) = session.state { failure } else { nil } }

  // MARK: Receiving

  mutating func receive(
    _ vectors: UnsafeBufferPointer<IOVector>, _ socket: inout StreamSocket, _ source: ReactorSource
  ) {
    wanted = vectors
    if inputStart < inputEnd || session.hasPlaintext || isInputEnded || session.hasEnded {
      source.markReady()
    } else {
      receiveInput(&socket, source)
    }
  }

  mutating func receiveNow(
    _ vectors: UnsafeBufferPointer<IOVector>, _ socket: inout StreamSocket, _ source: ReactorSource
  ) -> SocketEvent {
    let event = decrypt(vectors, &socket, source)
    guard event == .none, hasRoomForInput, !socket.isReceiving else { return event }
    prepareInput()
    switch socket.receiveNow(vectors: UnsafeMutableRawPointer(inputVector), count: 1) {
    case .received(let count):
      inputEnd += count
      return decrypt(vectors, &socket, source)
    case .endOfStream:
      isInputEnded = true
      return decrypt(vectors, &socket, source)
    case let event: return event
    }
  }

  /// Everything that has come is with the session.
  private var hasRoomForInput: Bool { inputStart == inputEnd && !isInputEnded }

  private mutating func prepareInput() {
    inputStart = 0
    inputEnd = 0
    inputVector.pointee = IOVector(base: input, count: Self.inputByteCount)
  }

  private mutating func receiveInput(_ socket: inout StreamSocket, _ source: ReactorSource) {
    guard hasRoomForInput, !socket.isReceiving else { return }
    prepareInput()
    socket.receive(into: input, count: Self.inputByteCount, source: source)
  }

  /// Gives out the plaintext of what has come; `none` when there is none yet.
  private mutating func decrypt(
    _ vectors: UnsafeBufferPointer<IOVector>, _ socket: inout StreamSocket, _ source: ReactorSource
  ) -> SocketEvent {
    var total = 0
    for vector in vectors {
      let (taken, produced) = session.receive(
        UnsafeRawBufferPointer(start: input + inputStart, count: inputEnd - inputStart),
        into: UnsafeMutableRawBufferPointer(start: vector.base, count: vector.count))
      inputStart += taken
      total += produced
      if produced < vector.count { break }
    }
    if total == 0, inputStart == inputEnd, isInputEnded { session.endOfStream() }
    sendOutput(&socket, source)
    if total > 0 { return .received(total) }
    switch session.state {
    case .handshaking, .open: return .none
    case .ended: return .endOfStream
    case .failed: return .failed(operation: "TLS", errno: EPROTO)
    }
  }

  // MARK: Sending

  mutating func sendNow(
    _ vectors: UnsafeBufferPointer<IOVector>, _ socket: inout StreamSocket, _ source: ReactorSource
  ) -> SocketEvent {
    var total = 0
    for vector in vectors {
      let taken = session.write(UnsafeRawBufferPointer(start: vector.base, count: vector.count))
      total += taken
      if taken < vector.count { break }
    }
    session.flush()
    sendOutput(&socket, source)
    if total > 0 { return .sent(total) }
    return failure == nil ? .none : .failed(operation: "TLS", errno: EPROTO)
  }

  mutating func send(_ vectors: UnsafeBufferPointer<IOVector>, _ source: ReactorSource) {
    unsent = vectors
    source.markReady()
  }

  mutating func endSending(_ socket: inout StreamSocket, _ source: ReactorSource) {
    session.endSending()
    sendOutput(&socket, source)
  }

  /// Has the kernel send what the session wants to be sent.
  private mutating func sendOutput(_ socket: inout StreamSocket, _ source: ReactorSource) {
    guard !socket.isSending, !socket.isClosing else { return }
    while !session.output.isEmpty {
      let output = session.output
      outputVector.pointee = IOVector(base: UnsafeMutableRawPointer(mutating: output.baseAddress!), count: output.count)
      // After a failure the socket is closed, and what the ring has would be taken back: the alert goes at once or not.
      if source.isReactorSpinning || failure != nil {
        if case .sent(let count) = socket.sendNow(vectors: UnsafeMutableRawPointer(outputVector), count: 1) {
          session.didSend(byteCount: count)
          continue
        }
        if failure != nil { return }
      }
      return socket.send(vectors: UnsafeMutableRawPointer(outputVector), count: 1, source: source)
    }
  }

  // MARK: What comes of it

  mutating func completed(
    _ event: SocketEvent, _ socket: inout StreamSocket, _ source: ReactorSource
  ) -> SocketEvent {
    switch event {
    case .received(let count): inputEnd += count
    case .endOfStream: isInputEnded = true
    case .sent(let count):
      session.didSend(byteCount: count)
      sendOutput(&socket, source)
      // The owner may wait for this to close. What could not be given out while there was no room comes with it.
      if unsent == nil {
        if wanted != nil, inputStart < inputEnd { source.markReady() }
        return session.hasNothingToSend ? .sent(0) : .none
      }
    default: return event
    }
    return next(&socket, source)
  }

  /// One thing that the owner waits for and that is there. If there may be another one the owner is marked ready again.
  mutating func next(_ socket: inout StreamSocket, _ source: ReactorSource) -> SocketEvent {
    guard !socket.isClosing else { return .none }
    if let vectors = unsent {
      let event = sendNow(vectors, &socket, source)
      if event != .none {
        unsent = nil
        if wanted != nil { source.markReady() }
        return event
      }
    }
    guard let vectors = wanted else { return .none }
    let event = decrypt(vectors, &socket, source)
    if event == .none { receiveInput(&socket, source) } else { wanted = nil }
    return event
  }
}
