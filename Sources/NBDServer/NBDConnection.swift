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
  private struct State: ~Copyable {
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
    var isDirty = false
    /// The engine takes no input just now: there are too many requests, or answers to be fetched.
    var isBlocked = false
    /// The connection ends when all answers are with the client.
    var isDraining = false
    var isClosing = false
    var isSocketClosed = false
    /// TLS begins when the answer that says so has been sent.
    var isTLSWanted = false
    /// Payloads come in pieces that are worth receiving in place.
    var isPayloadLarge = false
    var blockShift: UInt64 = 0
    var hasVolatileWriteCache = false
    var hasForceUnitAccess = false
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
  private static let completionCapacity = 64

  private let server: NBDServer
  private let worker: NBDWorker
  /// By which lines of the log name it.
  private let number: UInt64
  private let peer: String
  private let startNanoseconds: UInt64
  /// Why it ends; nil while it does not.
  private var end: String?
  /// (Short, because every line of the hot path has it.)
  private let st: UnsafeMutablePointer<State>
  private let input: UnsafeMutableRawPointer
  private let receiveVectors: UnsafeMutablePointer<IOVector>
  private let completions: UnsafeMutableBufferPointer<BlockCompletion>
  /// Of the negotiation's sends.
  private let sendVector: UnsafeMutablePointer<IOVector>
  private var export: Export?
  private var attachment: UInt64 = 0
  /// Retained here; unmanaged, because every request looks at it.
  private var channelReference: Unmanaged<BlockChannel>?
  private var isFinished = false

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
    // A Unix-domain socket's buffer does not grow by itself, and what does not fit costs a wake-up. (The kernel has a limit.)
    if SocketAddress(peerOf: fileDescriptor)?.family == AF_UNIX {
      st.pointee.stream.setSendBufferSize(NBDTransmission.replyWindowByteCount)
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
  private func freeEngine() {
    guard let engine = st.pointee.engine else { return }
    st.pointee.engine = nil
    engine.deinitialize(count: 1)
    engine.deallocate()
  }

  // MARK: The socket

  override func completed(_ completion: RingCompletion) {
    handle(st.pointee.stream.completed(completion, source: self))
  }

  override func poll() -> Bool {
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
  }

  private func received(_ count: Int) {
    st.pointee.receivedByteCount &+= UInt64(count)
    let direct = min(count, st.pointee.directByteCount)
    st.pointee.directByteCount = 0
    if direct > 0, let engine = st.pointee.engine { engine.pointee.didReceiveDirectly(byteCount: direct) }
    st.pointee.inputEnd += count - direct
    takeInput()
  }

  /// Passes on what has been received, and receives more once all of it has been taken.
  private func takeInput() {
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

  /// The client has said goodbye, or something that nobody understands.
  @inline(never) private func requestsEnded(_ engine: UnsafeMutablePointer<NBDTransmission>) {
    switch engine.pointee.state {
    case .open: break
    case .disconnecting: beginDraining("the client has disconnected")
    case .violated(let violation): close(violation.rawValue)
    }
  }

  /// Receives no more until what has been received is taken.
  private func block() {
    st.pointee.isBlocked = true
    stopPolling()
  }

  private func receiveMore() {
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
    submitReceive()
  }

  private func submitReceive() {
    st.pointee.isReceiveWanted = false
    guard !st.pointee.stream.isReceiving, !st.pointee.isClosing else { return }
    st.pointee.stream.receive(vectors: receiveVectors, count: st.pointee.receiveVectorCount, source: self)
  }

  private func stopPolling() {
    guard st.pointee.isPolled else { return }
    st.pointee.isPolled = false
    // Not retained for the call: see `ReactorSource+Marks.swift`.
    Unmanaged.passUnretained(reactor)._withUnsafeGuaranteedRef { $0.stopPolling(self) }
  }

  /// There is something to send: once a turn.
  private func becomeDirty() {
    guard !st.pointee.isDirty else { return }
    st.pointee.isDirty = true
    markDirty()
  }

  override func flush() {
    st.pointee.isDirty = false
    sendReplies()
    if st.pointee.isReceiveWanted { submitReceive() }
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
    guard let engine = st.pointee.engine, st.pointee.output.isEmpty else { return negotiationOutputSent(count) }
    engine.pointee.didSend(byteCount: count)
    if engine.pointee.wantsToSend { becomeDirty() }
    if st.pointee.isBlocked || st.pointee.isDraining || engine.pointee.hasRequests { markReady() }
  }

  // MARK: Requests

  private func submitRequests(_ engine: UnsafeMutablePointer<NBDTransmission>) {
    guard let channelReference else { return }
    while let request = engine.pointee.popRequest() {
      st.pointee.requestCount &+= 1
      var block = BlockRequest(
        .flush, logicalBlockAddress: request.offset >> st.pointee.blockShift,
        blockCount: UInt32(truncatingIfNeeded: request.byteCount >> st.pointee.blockShift), buffer: request.memory,
        token: UInt64(request.index))
      switch request.operation {
      case .read: block.operation = .read
      case .write: block.operation = .write
      case .writeZeroes: block.operation = .writeZeroes
      case .trim: block.operation = .discard
      case .flush:
        if !st.pointee.hasVolatileWriteCache {
          engine.pointee.complete(request.index, nil)
          continue
        }
      }
      if request.isForceUnitAccess, st.pointee.hasForceUnitAccess, request.operation != .trim,
        request.operation != .flush
      {
        block.options = .forceUnitAccess
      }
      if request.byteCount >> st.pointee.blockShift > UInt64(UInt32.max) {
        engine.pointee.complete(request.index, .rangeTooLarge)
        continue
      }
      switch channelReference._withUnsafeGuaranteedRef({ $0.submit(block) }) {
      case .accepted:
        // A device that is quick as memory is not asked for more than the client can be sent.
        if channelReference._withUnsafeGuaranteedRef({ $0.hasCompletions }) { collect(channelReference, engine) }
      case .busy:
        // The channel's own end of a request brings the next try.
        engine.pointee.putBack(request.index)
        st.pointee.requestCount &-= 1
        return
      case .refused(let refusal):
        engine.pointee.complete(request.index, NBDFailure(refusal, operation: block.operation))
      }
    }
    if engine.pointee.wantsToSend { becomeDirty() }
  }

  /// Takes from the channel what has ended.
  private func collect(_ channel: Unmanaged<BlockChannel>, _ engine: UnsafeMutablePointer<NBDTransmission>) {
    while true {
      let count = channel._withUnsafeGuaranteedRef { $0.poll(into: completions) }
      for index in 0..<count {
        let completion = completions[index]
        engine.pointee.complete(
          UInt16(truncatingIfNeeded: completion.token),
          completion.outcome == .success ? nil : NBDFailure(completion))
      }
      if count < Self.completionCapacity { return }
    }
  }

  /// The channel has something, or there is room again.
  override func run() {
    if st.pointee.stream.isSecure { handle(st.pointee.stream.next(source: self)) }
    guard let engine = st.pointee.engine else {
      if st.pointee.isClosing { finishIfPossible() } else if st.pointee.isBlocked { takeInput() }
      return
    }
    if let channelReference { collect(channelReference, engine) }
    if st.pointee.isClosing {
      finishIfPossible()
      return
    }
    if engine.pointee.hasRequests { submitRequests(engine) }
    if engine.pointee.wantsToSend, !st.pointee.stream.isSending { becomeDirty() }
    if st.pointee.isBlocked { takeInput() }
    lookForEnd(engine)
  }

  private func lookForEnd(_ engine: UnsafeMutablePointer<NBDTransmission>) {
    if channelReference?._withUnsafeGuaranteedRef({ $0.isClosed }) == true, !st.pointee.isClosing,
      !st.pointee.isDraining
    {
      deviceGone()
    }
    if st.pointee.isDraining, engine.pointee.hasNothingToDo { endDraining() }
  }

  /// The channel has ended by itself: so have the device and all that is exported of it.
  @inline(never) private func deviceGone() {
    drain(.deviceGone)
    export?.end(.deviceGone)
  }

  // MARK: Negotiation

  @inline(never) private func negotiate() {
    // One option at a time: what is behind it waits until its answers have been fetched.
    guard st.pointee.output.isEmpty else { return block() }
    let (count, outcome) = st.pointee.negotiation.receive(
      UnsafeRawBufferPointer(start: input + st.pointee.inputStart, count: st.pointee.inputEnd - st.pointee.inputStart))
    st.pointee.inputStart += count
    if let refusal = st.pointee.negotiation.takeRefusal() {
      tell(.debug, "an option is refused", ["option": "\(refusal.option.rawValue)", "reason": "\(refusal.reason)"])
    }
    switch outcome {
    case .open:
      takeNegotiationOutput()
      if st.pointee.inputStart < st.pointee.inputEnd {
        block()
        if st.pointee.output.isEmpty { markReady() }
      } else {
        receiveMore()
      }
    case .transmission(let session):
      guard begin(session) else { return close("the export is gone, or has no room here") }
      tell(
        .info, "a client uses an export",
        ["export": "\(NBDClientLog.shortened(session.export.name))", "replies": "\(session.style)"])
      takeNegotiationOutput()
      takeInput()
    case .startTLS:
      takeNegotiationOutput()
      st.pointee.isTLSWanted = true
      block()
    case .disconnect(let reason):
      takeNegotiationOutput()
      beginDraining(reason)
      endDraining()
    }
  }

  /// What has come behind the request for TLS goes to TLS, which has no use for options in the clear: nobody can slip one
  /// in before the handshake. The time for negotiation is the handshake's, too.
  private func beginTLS() {
    st.pointee.isTLSWanted = false
    guard let context = server.security.context else { return close("TLS is no longer configured") }
    st.pointee.stream.beginTLS(
      context,
      received: UnsafeRawBufferPointer(
        start: input + st.pointee.inputStart, count: st.pointee.inputEnd - st.pointee.inputStart))
    st.pointee.negotiation.becameSecure()
    receiveMore()
  }

  private func takeNegotiationOutput() {
    let bytes = st.pointee.negotiation.takeOutput()
    guard !bytes.isEmpty else { return }
    st.pointee.output = .allocate(byteCount: bytes.count, alignment: 8)
    st.pointee.output.copyBytes(from: bytes)
    st.pointee.outputPosition = 0
    becomeDirty()
  }

  private func sendNegotiationOutput() {
    guard !st.pointee.output.isEmpty else { return }
    let position = st.pointee.outputPosition
    sendVector.pointee = IOVector(
      base: st.pointee.output.baseAddress! + position, count: st.pointee.output.count - position)
    st.pointee.stream.send(vectors: sendVector, count: 1, source: self)
  }

  private func negotiationOutputSent(_ count: Int) {
    st.pointee.outputPosition += count
    if st.pointee.outputPosition < st.pointee.output.count { return becomeDirty() }
    st.pointee.output.deallocate()
    st.pointee.output = UnsafeMutableRawBufferPointer(start: nil, count: 0)
    if let engine = st.pointee.engine {
      if engine.pointee.wantsToSend { becomeDirty() }
      lookForEnd(engine)
    } else if st.pointee.isTLSWanted {
      beginTLS()
    } else if st.pointee.isDraining {
      endDraining()
    } else if st.pointee.isBlocked {
      takeInput()
    }
  }

  /// Opens the channel that the session's requests go to. False when the export is gone or cannot be used here.
  private func begin(_ session: NBDSession) -> Bool {
    guard let export = server.exports[session.export.name] else { return false }
    let limit = server.configuration.transmission.requestLimit
    let channel: BlockChannel
    do throws(BlockRefusal) {
      channel = try export.device.openChannel(on: reactor, queueDepth: limit)
    } catch { return false }
    nonisolated(unsafe) weak let connection = self
    let handle = reactor.handle
    guard
      let attachment = export.attach(
        ExportClient(backEnd: "NBD", peer: peer),
        observer: { event in handle.post { _ in connection?.exportChanged(event) } })
    else {
      channel.close()
      return false
    }
    self.export = export
    self.attachment = attachment
    channelReference = .passRetained(channel)
    channel.setObserver(self)
    let engine = UnsafeMutablePointer<NBDTransmission>.allocate(capacity: 1)
    engine.initialize(
      to: NBDTransmission(session: session, configuration: server.configuration.transmission, pool: worker.pool))
    st.pointee.engine = engine
    st.pointee.blockShift = UInt64(session.export.limits.minimumBlockByteCount.trailingZeroBitCount)
    take(export.limits)
    reactor.setDeadline(nil, of: self)
    return true
  }

  private func take(_ limits: ExportLimits) {
    st.pointee.engine?.pointee.limits = NBDExportLimits(limits)
    st.pointee.hasVolatileWriteCache = limits.capabilities.contains(.volatileWriteCache)
    st.pointee.hasForceUnitAccess = limits.capabilities.contains(.forceUnitAccess)
  }

  // MARK: The end

  private func exportChanged(_ event: ExportEvent) {
    guard !st.pointee.isClosing else { return }
    switch event {
    case .limitsChanged(let limits): take(limits)
    case .ended(let reason): drain(reason)
    }
  }

  /// Answers what is outstanding, refuses what comes, and closes.
  func drain(_ reason: ExportEndReason) {
    guard !st.pointee.isClosing else { return }
    let text = reason == .shutdown ? "the server shuts down" : "the export has ended: \(reason)"
    guard let engine = st.pointee.engine else { return close(text) }
    engine.pointee.rejection = reason == .deviceGone ? .deviceGone : .shutdown
    beginDraining(text)
    // What has been received already is still answered.
    if st.pointee.inputStart < st.pointee.inputEnd {
      st.pointee.inputStart += engine.pointee.receive(
        UnsafeRawBufferPointer(
          start: input + st.pointee.inputStart, count: st.pointee.inputEnd - st.pointee.inputStart))
      if engine.pointee.wantsToSend { becomeDirty() }
    }
  }

  private func beginDraining(_ reason: String) {
    guard !st.pointee.isDraining else { return }
    end = reason
    st.pointee.isDraining = true
    stopPolling()
    reactor.setDeadline(
      reactor.nowNanoseconds + UInt64(server.configuration.drainTimeoutMilliseconds) * 1_000_000, of: self)
    markReady()
  }

  /// All requests are answered: says goodbye, and closes once that is with the kernel. The answer to the last option may
  /// still be on its way, when a client disconnects in one piece with it.
  private func endDraining() {
    guard st.pointee.output.isEmpty, st.pointee.stream.hasNothingToSend else { return }
    st.pointee.stream.endSending(source: self)
    if st.pointee.stream.hasNothingToSend { close("") }
  }

  @inline(never) private func clientGone(_ event: SocketEvent) {
    // A client that goes without close_notify is as usual as one that closes its socket.
    if let failure = st.pointee.stream.failure, failure.kind != .truncated {
      // Somebody's configuration is wrong, or somebody is unwelcome: whoever runs the server is to hear of either.
      tell(.warning, "TLS with a client has failed", ["error": "\(failure)"])
      return close("TLS: \(failure)")
    }
    if case .failed(_, let code) = event { return close("the connection has failed: \(errorText(code))") }
    close("the client has closed the connection")
  }

  override func deadlineExpired() {
    close(st.pointee.engine == nil ? "it took too long to negotiate" : "it took too long to fetch its last answers")
  }

  override func reactorIsEnding() { close("the server has ended") }

  /// Closes the socket; the rest follows when nothing is in flight any more.
  ///
  /// - Parameter reason: for the log, unless there was one for the draining before.
  @inline(never) private func close(_ reason: String) {
    guard !st.pointee.isClosing else { return }
    st.pointee.isClosing = true
    end = end ?? reason
    stopPolling()
    reactor.setDeadline(nil, of: self)
    st.pointee.engine?.pointee.dropRequests()
    channelReference?._withUnsafeGuaranteedRef { $0.close() }
    if st.pointee.stream.beginClose(source: self) { st.pointee.isSocketClosed = true }
    markReady()
  }

  private func finishIfPossible() {
    guard st.pointee.isClosing, st.pointee.isSocketClosed, (st.pointee.engine?.pointee.outstandingCount ?? 0) == 0,
      !isFinished
    else { return }
    isFinished = true
    channelReference?._withUnsafeGuaranteedRef { $0.setObserver(nil) }
    freeEngine()
    let seconds = (reactor.nowNanoseconds - startNanoseconds) / 1_000_000_000
    tell(
      export == nil ? .debug : .info, "a client has gone",
      [
        "export": "\(NBDClientLog.shortened(export?.name ?? ""))", "reason": "\(end ?? "")",
        "requests": "\(st.pointee.requestCount)", "received_bytes": "\(st.pointee.receivedByteCount)",
        "sent_bytes": "\(st.pointee.sentByteCount)", "seconds": "\(seconds)",
      ])
    export?.detach(attachment)
    server.liveConnectionCount.subtract(1, ordering: .relaxed)
    worker.remove(self)
    retire()
  }

  private func tell(_ level: Logger.Level, _ message: Logger.Message, _ metadata: @autoclosure () -> Logger.Metadata) {
    server.log.write(
      level, message, metadata().merging(["client": "\(number)", "peer": "\(peer)"], uniquingKeysWith: { $1 }))
  }
}
