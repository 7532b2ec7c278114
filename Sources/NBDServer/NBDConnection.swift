internal import BlockDevice
internal import BlockExport
internal import Glibc
internal import Logging
internal import NBDProtocol
internal import NVMeProtocol
internal import RingReactor
internal import Synchronization
internal import TLS

/// One client: its socket, its side of the protocol, and its channel to the device, all on one reactor.
///
/// A turn: what has been received goes through ``NBDTransmission``; its requests go to the channel; the channel's
/// completions are collected once, and all their replies go out in one send.
///
/// The end: the socket is closed, which gives back the memory that the kernel holds; the channel is closed, and what it
/// still has comes to its end; only then are the buffers freed and the export let go of.
final class NBDConnection: ReactorSource {
  /// Behind a pointer: class storage would pay an exclusivity check an access.
  struct State: ~Copyable {
    var stream: NBDStream
    var negotiation: NBDNegotiation
    /// Nil during negotiation.
    var engine: UnsafeMutablePointer<NBDTransmission>?
    /// Input that has been received and not taken.
    var inputStart = 0
    var inputEnd = 0
    /// Bytes of the receive in flight that go straight into a request's memory; the rest goes to the buffer.
    var directByteCount = 0
    var receiveVectorCount = 0
    var isPolled = false
    /// To be handed to the ring behind what is sent in this turn.
    var isReceiveWanted = false
    /// When it is looked whether input is held back for too long, and what had been sent when that was decided; the largest
    /// number while it is not.
    var holdNanoseconds = UInt64.max
    var heldSentByteCount: UInt64 = 0
    /// Input is held back no more while it is no more than this that has been sent.
    var freedSentByteCount = UInt64.max
    var isDirty = false
    /// The engine takes no input just now: there are too many requests, or answers to be fetched.
    var isBlocked = false
    /// The connection ends when all answers are with the client.
    var isDraining = false
    /// When what has not ended by then is answered without the device; the largest number while nothing hurries.
    var endNanoseconds = UInt64.max
    /// When a connection that drains is cut off, unless something moves; the largest number while that depends on others.
    var fetchNanoseconds = UInt64.max
    var isEndForced = false
    /// All is sent, and what the client still sends is dropped, until its system has taken the last of it; or until so long.
    var isLingering = false
    var lingerEndNanoseconds: UInt64 = 0
    var unacknowledgedByteCount = 0
    var isClosing = false
    var isSocketClosed = false
    /// TLS begins when the answer that says so has been sent.
    var isTLSWanted = false
    /// Payloads come in pieces that are worth receiving in place.
    var isPayloadLarge = false
    /// The socket has a send buffer that holds several large answers, or has what the kernel gives it.
    var isSendBufferLarge = true
    var blockShift: UInt64 = 0
    var hasVolatileWriteCache = false
    var hasForceUnitAccess = false
    /// When it is looked for clients that keep memory others wait for; the largest number while nobody does.
    var lookNanoseconds = UInt64.max
    var watch = NBDBorrowerWatch()
    /// What is being sent during negotiation.
    var output: UnsafeMutableRawBufferPointer
    var outputPosition = 0
    // For the log.
    var requestCount: UInt64 = 0
    var receivedByteCount: UInt64 = 0
    var sentByteCount: UInt64 = 0
  }

  private static let inputByteCount = 64 << 10
  /// Payload beyond this is received in place.
  private static let directThreshold = 16 << 10
  /// Of a Unix-domain socket while answers are small: some forty of them with 4 KiB. More leaves the client no more to do,
  /// and a server that is quicker than its client would go to sleep and be woken for every request.
  private static let smallSendBufferByteCount = 128 << 10
  /// An answer of so many bytes is large.
  static let largeAnswerByteCount = 32 << 10
  static let completionCapacity = 64
  /// How long input is held back for answers that the client does not fetch at all.
  private static let holdNanoseconds: UInt64 = 20_000_000

  // Not private: they are for the extensions in the other files.
  let server: NBDServer
  let worker: NBDWorker
  /// By which lines of the log name it.
  let number: UInt64
  let peer: String
  let startNanoseconds: UInt64
  /// Why it ends; nil while it does not.
  var end: String?
  /// (Short, because every line of the hot path has it.)
  let st: UnsafeMutablePointer<State>
  let input: UnsafeMutableRawPointer
  private let receiveVectors: UnsafeMutablePointer<IOVector>
  let completions: UnsafeMutableBufferPointer<BlockCompletion>
  /// Of the negotiation's sends.
  let sendVector: UnsafeMutablePointer<IOVector>
  var export: Export?
  var attachment: UInt64 = 0
  /// Retained here; unmanaged, because every request looks at it.
  var channelReference: Unmanaged<BlockChannel>?
  var isFinished = false

  init(reactor: Reactor, server: NBDServer, worker: NBDWorker, number: UInt64, fileDescriptor: Int32) {
    self.server = server
    self.worker = worker
    self.number = number
    peer = PeerName.text(fileDescriptor)
    startNanoseconds = reactor.nowNanoseconds
    input = .allocate(byteCount: Self.inputByteCount, alignment: 4096)
    receiveVectors = .allocate(capacity: 2)
    sendVector = .allocate(capacity: 1)
    completions = .allocate(capacity: Self.completionCapacity)
    st = .allocate(capacity: 1)
    st.initialize(
      to: State(
        stream: NBDStream(accepted: fileDescriptor),
        negotiation: NBDNegotiation(
          catalogue: ExportTableCatalogue(table: server.exports), policy: server.security.policy),
        output: UnsafeMutableRawBufferPointer(start: nil, count: 0)))
    super.init(reactor: reactor)
    st.pointee.stream.setKeepAlive()
    // A Unix-domain socket's buffer does not grow by itself.
    if SocketAddress(peerOf: fileDescriptor)?.family == AF_UNIX {
      st.pointee.isSendBufferLarge = false
      st.pointee.stream.setSendBufferSize(Self.smallSendBufferByteCount)
    }
    reactor.setDeadline(
      reactor.nowNanoseconds + UInt64(server.configuration.negotiationTimeoutMilliseconds) * 1_000_000, of: self)
    tell(.debug, "a client has connected", [:])
    takeNegotiationOutput()
    receiveMore()
  }

  deinit {
    freeEngine()
    st.pointee.output.deallocate()
    st.deinitialize(count: 1)
    st.deallocate()
    input.deallocate()
    receiveVectors.deallocate()
    sendVector.deallocate()
    completions.deallocate()
    channelReference?.release()
  }

  /// The buffers go back to the pool.
  func freeEngine() {
    guard let engine = st.pointee.engine else { return }
    st.pointee.engine = nil
    engine.deinitialize(count: 1)
    engine.deallocate()
    if worker.share.pool.hasWaiters { worker.share.passTurn() }
  }

  // MARK: The socket

  override func completed(_ completion: RingCompletion) {
    handle(st.pointee.stream.completed(completion, source: self))
  }

  override func poll() -> Bool {
    if isSendBlocked {
      if st.pointee.holdNanoseconds == .max { limitHold() }
      return false
    }
    let event = st.pointee.stream.receiveNow(
      vectors: receiveVectors, count: st.pointee.receiveVectorCount, source: self)
    if event == .none { return false }
    handle(event)
    return true
  }

  private func handle(_ event: SocketEvent) {
    switch event {
    case .received(let count): received(count)
    case .sent(let count): sent(count)
    case .endOfStream, .failed: clientGone(event)
    case .closed:
      st.pointee.isSocketClosed = true
      markReady()
    case .connected, .none: break
    }
    if let engine = st.pointee.engine { lookAfterWaiters(engine) }
  }

  private func received(_ count: Int) {
    st.pointee.receivedByteCount &+= UInt64(count)
    if st.pointee.isLingering { return receiveToDrop() }
    let direct = min(count, st.pointee.directByteCount)
    st.pointee.directByteCount = 0
    if direct > 0, let engine = st.pointee.engine { engine.pointee.didReceiveDirectly(byteCount: direct) }
    st.pointee.inputEnd += count - direct
    takeInput()
  }

  /// Passes on what has been received, and receives more once all of it has been taken.
  func takeInput() {
    guard !st.pointee.isClosing else { return }
    guard let engine = st.pointee.engine else { return negotiate() }
    let count = engine.pointee.receive(
      UnsafeRawBufferPointer(start: input + st.pointee.inputStart, count: st.pointee.inputEnd - st.pointee.inputStart))
    st.pointee.inputStart += count
    submitRequests(engine)
    guard engine.pointee.state == .open else { return requestsEnded(engine) }
    if st.pointee.inputStart < st.pointee.inputEnd || engine.pointee.isWaitingForPlace {
      block()
    } else {
      receiveMore()
    }
  }

  /// Receives no more until what has been received is taken.
  func block() {
    st.pointee.isBlocked = true
    stopPolling()
  }

  /// Starts receiving, unless that goes on already or the end has begun.
  func receiveMore() {
    guard !st.pointee.isClosing, !st.pointee.isDraining, !st.pointee.isReceiveWanted, !st.pointee.stream.isReceiving
    else { return }
    st.pointee.inputStart = 0
    st.pointee.inputEnd = 0
    st.pointee.isBlocked = false
    var vectorCount = 0
    var inputByteCount = Self.inputByteCount
    if let engine = st.pointee.engine, let direct = engine.pointee.directVector {
      // Where large payloads follow one another only headers should land in the buffer.
      if direct.count >= Self.directThreshold || st.pointee.isPayloadLarge {
        st.pointee.isPayloadLarge = true
        receiveVectors[0] = direct
        st.pointee.directByteCount = direct.count
        vectorCount = 1
        inputByteCount = engine.pointee.headerByteCount
      } else {
        st.pointee.isPayloadLarge = false
      }
    } else if st.pointee.isPayloadLarge, let engine = st.pointee.engine {
      inputByteCount = engine.pointee.missingHeaderByteCount
      st.pointee.isPayloadLarge = false
    }
    receiveVectors[vectorCount] = IOVector(base: input, count: inputByteCount)
    st.pointee.receiveVectorCount = vectorCount + 1
    if st.pointee.isPolled { return }
    if startPolling() {
      st.pointee.isPolled = true
    } else {
      // While the kernel sends, the client goes on: a receive behind the send often finds something, which saves a sleep.
      st.pointee.isReceiveWanted = true
      becomeDirty()
    }
  }

  override func pollingEnded() {
    st.pointee.isPolled = false
    guard isSendBlocked else { return submitReceive() }
    st.pointee.isReceiveWanted = true
    if st.pointee.holdNanoseconds == .max { limitHold() }
  }

  /// The client has not fetched what it was sent. Until it has, its requests stay where they are: then they come many at
  /// once, where each would have cost a wake-up. But not for ever: see ``inputHeldTooLong()``.
  private var isSendBlocked: Bool {
    st.pointee.engine != nil && st.pointee.stream.isSending
      && st.pointee.freedSentByteCount != st.pointee.sentByteCount
  }

  /// Once for all holding within the time: the deadline is neither moved nor taken back.
  @inline(never) private func limitHold() {
    guard !st.pointee.isDraining, !st.pointee.isClosing else { return }
    st.pointee.holdNanoseconds = reactor.nowNanoseconds + Self.holdNanoseconds
    st.pointee.heldSentByteCount = st.pointee.sentByteCount
    setNextDeadline()
  }

  /// The client may be one that sends all of its next request before it fetches an answer: its requests are taken, until it
  /// does.
  private func inputHeldTooLong() {
    st.pointee.holdNanoseconds = .max
    guard isSendBlocked else { return }
    guard st.pointee.heldSentByteCount == st.pointee.sentByteCount else { return limitHold() }
    st.pointee.freedSentByteCount = st.pointee.sentByteCount
    if st.pointee.isReceiveWanted { submitReceive() }
  }

  /// Of all that has a time once there are requests, up to ``linger(_:)``.
  func setNextDeadline() {
    guard !st.pointee.isLingering, !st.pointee.isClosing else { return }
    let next = min(st.pointee.isDraining ? drainNanoseconds : st.pointee.holdNanoseconds, st.pointee.lookNanoseconds)
    reactor.setDeadline(next == .max ? nil : next, of: self)
  }

  /// Receives what nobody looks at any more.
  func receiveToDrop() {
    guard !st.pointee.stream.isReceiving else { return }
    receiveVectors[0] = IOVector(base: input, count: Self.inputByteCount)
    st.pointee.receiveVectorCount = 1
    submitReceive()
  }

  /// What does not fit into the send buffer costs a wake-up: a good deal for many small answers, not for a large one.
  @inline(never) func enlargeSendBuffer() {
    st.pointee.isSendBufferLarge = true
    st.pointee.stream.setSendBufferSize(NBDTransmission.replyWindowByteCount)
  }

  private func submitReceive() {
    st.pointee.isReceiveWanted = false
    guard !st.pointee.stream.isReceiving, !st.pointee.isClosing else { return }
    st.pointee.stream.receive(vectors: receiveVectors, count: st.pointee.receiveVectorCount, source: self)
  }

  /// The reactor asks for input no more.
  func stopPolling() {
    guard st.pointee.isPolled else { return }
    st.pointee.isPolled = false
    // Not retained for the call: see `ReactorSource+Marks.swift`.
    Unmanaged.passUnretained(reactor)._withUnsafeGuaranteedRef { $0.stopPolling(self) }
  }

  /// There is something to send: once a turn.
  func becomeDirty() {
    guard !st.pointee.isDirty else { return }
    st.pointee.isDirty = true
    markDirty()
  }

  override func flush() {
    st.pointee.isDirty = false
    let isHeldBack = isSendBlocked
    sendReplies()
    guard st.pointee.isReceiveWanted else { return }
    if !isHeldBack { submitReceive() } else if st.pointee.holdNanoseconds == .max { limitHold() }
  }

  private func sendReplies() {
    guard !st.pointee.stream.isSending, !st.pointee.isClosing else { return }
    guard let engine = st.pointee.engine, st.pointee.output.isEmpty else { return sendNegotiationOutput() }
    guard engine.pointee.wantsToSend else { return }
    let vectors = engine.pointee.buildSend()
    let first = vectors.baseAddress!
    // Under TLS what there is room for is encrypted at once, too.
    if isReactorSpinning || st.pointee.stream.isSecure {
      let event = st.pointee.stream.sendNow(vectors: first, count: vectors.count, source: self)
      if event != .none { return handle(event) }
    }
    st.pointee.stream.send(vectors: first, count: vectors.count, source: self)
  }

  private func sent(_ count: Int) {
    st.pointee.sentByteCount &+= UInt64(count)
    if st.pointee.isReceiveWanted { becomeDirty() }
    guard let engine = st.pointee.engine, st.pointee.output.isEmpty else { return negotiationOutputSent(count) }
    engine.pointee.didSend(byteCount: count)
    if engine.pointee.wantsToSend { becomeDirty() }
    if st.pointee.isBlocked || st.pointee.isDraining || engine.pointee.hasRequests { markReady() }
  }

  // MARK: Requests

  /// The channel has something, or there is room again.
  override func run() {
    if st.pointee.stream.isSecure { handle(st.pointee.stream.next(source: self)) }
    guard let engine = st.pointee.engine else {
      if st.pointee.isClosing { finishIfPossible() } else if st.pointee.isBlocked { takeInput() }
      return
    }
    if let channelReference { collect(channelReference, engine) }
    if st.pointee.isClosing {
      endTurn(engine)
      finishIfPossible()
      return
    }
    if engine.pointee.hasRequests { submitRequests(engine) }
    if engine.pointee.wantsToSend, !st.pointee.stream.isSending { becomeDirty() }
    if st.pointee.isBlocked { takeInput() }
    endTurn(engine)
    lookForEnd(engine)
  }

  // MARK: The end

  override func deadlineExpired() {
    if st.pointee.isLingering { return lingerOn() }
    guard let engine = st.pointee.engine else { return close("it took too long to negotiate") }
    if st.pointee.isDraining {
      if drainNanoseconds <= reactor.nowNanoseconds { drainingTookTooLong(engine) }
    } else if st.pointee.holdNanoseconds <= reactor.nowNanoseconds {
      inputHeldTooLong()
    }
    if st.pointee.lookNanoseconds <= reactor.nowNanoseconds { timeToLook() }
    setNextDeadline()
  }

  override func reactorIsEnding() { close("the server has ended") }
}
