internal import Glibc
internal import NVMeHost
internal import NVMeProtocol
internal import NVMeTCPProtocol
internal import RingReactor

/// A queue pair over a TCP socket on the ring: the socket's completions go into the sans-I/O ``HostQueuePair``, what it
/// wants sent goes out in one gathered send a turn, and the commands' ends go to their sinks.
final class TCPQueuePair: QueuePair {
  /// Behind a pointer: class storage would pay an exclusivity check an access.
  private struct State: ~Copyable {
    var engine: HostQueuePair
    var socket = StreamSocket()
    var addresses: ArraySlice<SocketAddress> = []
    /// The one that is connected to, or is tried.
    var address: SocketAddress?
    /// Where to connect from.
    var sourceAddress: SocketAddress?
    var connectDeadlineNanoseconds: UInt64
    var failure: TransportError?
    /// Bytes of the receive in flight that go straight into a command's memory; the rest goes to the buffer.
    var directByteCount = 0
    var isResolving = true
    var isTerminating = false
    var hasConnection = false
    var isSocketClosed = false
    var isScanScheduled = false
    /// Answers that the reactor has been told of as expected.
    var expectedAnswerCount = 0
    /// The reactor has been told that there is something to send.
    var isDirty = false
    var gathering = SendGathering()
    /// Sending waits until this turn's input is there.
    var isGathering = false
    /// The reactor polls for input; else a receive is with the ring.
    var isPolled = false
    /// Where the next receive goes: ``receiveVectors``, so many of them.
    var receiveVectorCount = 0
    var receiveBuffer = ReceiveBufferControl()
    /// The time that deadlines are in: it goes on by one interval with each scan, so that a reactor that was not turned
    /// for a while ends no commands, and submitting one asks no clock.
    var scanTimeNanoseconds: UInt64 = 0
    var newCommandDeadlineNanoseconds: UInt64 = .max
  }

  private let transport: TCPTransport
  /// (Short, because every line of the hot path has it.)
  private let st: UnsafeMutablePointer<State>
  private let buffer: UnsafeMutableRawPointer
  private let bufferByteCount: Int
  private let directThreshold: Int
  private let receiveVectors: UnsafeMutablePointer<IOVector>
  private let commandTimeoutNanoseconds: UInt64

  private static let receiveVectorCapacity = 64
  private static let adminBufferByteCount = 8 * 1024
  /// How often outstanding commands' deadlines are looked at.
  private static let deadlineScanNanoseconds: UInt64 = 500_000_000
  /// How long the termination request may take to leave.
  private static let terminationNanoseconds: UInt64 = 1_000_000_000
  /// What is received into the buffer behind a direct receive: the next header and a little more.
  private static let directTailByteCount = 4096

  init(reactor: Reactor, owner: ReactorSource, parameters: QueuePairParameters, transport: TCPTransport) {
    self.transport = transport
    var configuration = HostQueuePairConfiguration(
      depth: parameters.depth, maximumInCapsuleByteCount: parameters.maximumInCapsuleByteCount)
    configuration.requestsHeaderDigest = transport.options.headerDigest
    configuration.requestsDataDigest = transport.options.dataDigest
    st = .allocate(capacity: 1)
    let timeout = UInt64(parameters.connectTimeoutMilliseconds) * 1_000_000
    let deadline = reactor.readClock() + timeout
    st.initialize(
      to: State(engine: HostQueuePair(configuration: configuration), connectDeadlineNanoseconds: deadline))
    let wanted = min(max(transport.options.receiveBufferByteCount, Self.directTailByteCount), 1 << 20)
    // The admin queue moves little; every controller has one.
    bufferByteCount = parameters.queueIdentifier == 0 ? min(wanted, Self.adminBufferByteCount) : wanted
    directThreshold = max(transport.options.directReceiveThresholdByteCount, Self.directTailByteCount)
    buffer = .allocate(byteCount: bufferByteCount, alignment: 4096)
    receiveVectors = .allocate(capacity: Self.receiveVectorCapacity)
    commandTimeoutNanoseconds = UInt64(parameters.commandTimeoutMilliseconds) * 1_000_000
    super.init(reactor: reactor, owner: owner, parameters: parameters)
    reactor.setDeadline(deadline, of: self)
    resolve()
  }

  deinit {
    st.deinitialize(count: 1)
    st.deallocate()
    buffer.deallocate()
    receiveVectors.deallocate()
  }

  // MARK: Connecting

  private func resolve() {
    if let address = transport.address {
      resolved(.success([address]))
      return
    }
    // The look-up may end after the queue pair has: its answer then finds nobody.
    nonisolated(unsafe) weak let queuePair = self
    NameResolver.resolve(
      host: transport.host, port: transport.port, family: transport.wantedFamily, on: reactor.handle
    ) { _, result in queuePair?.resolved(result) }
  }

  private func resolved(_ result: Result<[SocketAddress], NameResolutionError>) {
    st.pointee.isResolving = false
    guard state == .connecting else { return }
    switch result {
    case .failure(let error):
      fail(TransportError(.nameResolution, error.description))
    case .success(let addresses):
      let source = transport.sourceAddress
      // To connect from anywhere else instead would be a path that was not meant.
      if source == nil, let text = transport.options.sourceAddress {
        let problem = "\(transport): the address to connect from is \"\(text)\", which is not numeric; "
        fail(TransportError(.local, problem + "give one of this host's IPv4 or IPv6 addresses"))
        return
      }
      st.pointee.sourceAddress = source
      st.pointee.addresses =
        addresses.filter { address in
          transport.options.addressFamily.map { address.isOf($0) } ?? true
            && source.map { $0.family == address.family } ?? true
        }[...]
      connectNext(after: nil)
    }
  }

  /// Tries the next address; with none left, the last one's failure is the connection's.
  private func connectNext(after failure: TransportError?) {
    guard let address = st.pointee.addresses.popFirst() else {
      var problem = "\(transport) has no address"
      if let family = transport.options.addressFamily { problem += " of the family \(family)" }
      if let source = transport.options.sourceAddress { problem += " that can be reached from \(source)" }
      fail(failure ?? TransportError(.connect, problem))
      return
    }
    do throws(RingError) {
      st.pointee.address = address
      st.pointee.socket = StreamSocket()
      try st.pointee.socket.open(for: address, source: self)
      // Should this process be killed: what it has not sent is not to be executed behind its successor's back.
      st.pointee.socket.setResetOnClose()
      if let priority = transport.options.socketPriority { try st.pointee.socket.setPriority(priority) }
      st.pointee.socket.setBufferSizes(
        receiveBytes: transport.options.socketReceiveBufferByteCount,
        sendBytes: transport.options.socketSendBufferByteCount)
      try setUserTimeout(toConnect: true)
      try st.pointee.socket.connect(to: address, from: st.pointee.sourceAddress, source: self)
    } catch {
      connectNext(after: TransportError(.local, "\(address): \(error)"))
    }
  }

  /// What has been sent may stay unacknowledged for as long as the options say; while other addresses are left, the request
  /// to connect for its share of the time there is for all of them: one that is silent is not to hide the others.
  private func setUserTimeout(toConnect isConnecting: Bool) throws(RingError) {
    var milliseconds = transport.options.userTimeoutMilliseconds
    let others = UInt64(st.pointee.addresses.count)
    if others > 0 {
      let now = reactor.readClock()
      let left = st.pointee.connectDeadlineNanoseconds > now ? st.pointee.connectDeadlineNanoseconds - now : 0
      let share = UInt32(clamping: max(left / (others + 1) / 1_000_000, 1))
      if isConnecting { milliseconds = milliseconds == 0 ? share : min(milliseconds, share) }
    } else if milliseconds == 0 {
      return
    }
    try st.pointee.socket.setUserTimeout(milliseconds: milliseconds)
  }

  override func deadlineExpired() {
    switch state {
    case .connecting:
      let time = "within \(parameters.connectTimeoutMilliseconds) ms"
      let place = st.pointee.isResolving ? "the name look-up" : "the connection"
      let problem =
        st.pointee.hasConnection
        ? "the connection was accepted, but no ICResp came \(time); is it NVMe/TCP that listens there?"
        : "\(place) did not come about \(time); is the target up, and does nothing drop packets on the way?"
      fail(TransportError(.timedOut, "\(transport): \(problem)"))
    case .connected:
      st.pointee.scanTimeNanoseconds &+= Self.deadlineScanNanoseconds
      if st.pointee.isTerminating {
        beginClose()
      } else if hasExpiredCommands() {
        fail(
          TransportError(
            .commandTimedOut,
            "\(transport): a command was not answered within \(parameters.commandTimeoutMilliseconds) ms"))
      } else if st.pointee.engine.outstandingCount > 0 {
        scheduleDeadlineScan()
      } else {
        st.pointee.isScanScheduled = false
      }
    case .closing, .closed:
      break
    }
  }

  /// Whether a command has taken too long. Where commands are to be aborted, the owner is told the first time, and the second
  /// time counts.
  private func hasExpiredCommands() -> Bool {
    let now = st.pointee.scanTimeNanoseconds
    if parameters.abortsTimedOutCommands {
      while let command = st.pointee.engine.takeExpiredCommand(
        nowNanoseconds: now, extendingNanoseconds: commandTimeoutNanoseconds)
      {
        noteTimedOut(commandIdentifier: command)
      }
    }
    return st.pointee.engine.expiredCommandCount(nowNanoseconds: now) > 0
  }

  override func takeTraffic() -> Bool { st.pointee.engine.takeTraffic() }

  /// Commands get a deadline that is right to one interval of the scan.
  // Not inlined: it is for one command in a million, and `submit` for each.
  @inline(never) private func scheduleDeadlineScan() {
    st.pointee.isScanScheduled = true
    st.pointee.newCommandDeadlineNanoseconds =
      st.pointee.scanTimeNanoseconds &+ commandTimeoutNanoseconds &+ Self.deadlineScanNanoseconds
    reactor.setDeadline(reactor.readClock() &+ Self.deadlineScanNanoseconds, of: self)
  }

  // MARK: Commands

  override var freeCommandCount: Int { st.pointee.engine.state == .ready ? st.pointee.engine.freeSlotCount : 0 }

  override func submit(
    _ command: SubmissionQueueEntry, data: DataSegments, direction: DataDirection,
    sink: Unmanaged<CompletionSink>, token: UInt64
  ) -> Bool {
    // Only while commands are taken: before and after, the deadline is that of the connection.
    if !st.pointee.isScanScheduled && st.pointee.engine.state == .ready { scheduleDeadlineScan() }
    guard
      st.pointee.engine.submit(
        command, data: data, direction: direction, context: sink.toOpaque(), token: token,
        deadlineNanoseconds: st.pointee.newCommandDeadlineNanoseconds)
    else { return false }
    if !st.pointee.isDirty { becomeDirty() }
    return true
  }

  /// There is something to send: once a turn, so that most commands do not come here.
  private func becomeDirty() {
    st.pointee.isDirty = true
    markDirty()
  }

  override func flush() {
    st.pointee.isDirty = false
    updateExpectation()
    guard !st.pointee.socket.isSending, !st.pointee.socket.isClosing, st.pointee.hasConnection else { return }
    if st.pointee.gathering.shouldLook(
      unsentCount: st.pointee.engine.unsentCommandCount, outstandingCount: st.pointee.engine.outstandingCount)
    {
      // A source that is ready keeps the reactor from sleeping: it takes what is there, and calls `run`.
      st.pointee.isGathering = true
      markReady()
      return
    }
    let byteCount = st.pointee.engine.buildSend()
    // A command that was answered before its data came up for sending has ended here.
    if st.pointee.engine.hasCompletions { markReady() }
    guard byteCount > 0 else {
      // Closing now could overtake the termination request: the controller ends the connection, or the deadline does.
      if st.pointee.isTerminating { st.pointee.socket.endSending() }
      return
    }
    st.pointee.gathering.noteSend(byteCount: byteCount)
    let vectors = st.pointee.engine.sendVectors
    let first = UnsafeMutableRawPointer(vectors.baseAddress!)
    let isDirect =
      isReactorSpinning
      || reactorFlushesFew
        && SendGathering.sendsWithoutRing(outstandingCount: st.pointee.engine.outstandingCount)
    if isDirect && !st.pointee.isTerminating {
      sendNow(vectors: first, count: vectors.count)
    } else {
      st.pointee.socket.send(vectors: first, count: vectors.count, source: self)
    }
  }

  /// Sends without the ring, piece by piece. What the socket has no room for goes there.
  private func sendNow(vectors: UnsafeMutableRawPointer, count: Int) {
    let pieceCount = min(count, SendGathering.mostVectorsAtOnce)
    switch st.pointee.socket.sendNow(vectors: vectors, count: pieceCount) {
    case .sent(let byteCount):
      st.pointee.engine.didSend(byteCount: byteCount)
      if st.pointee.engine.hasCompletions { markReady() }
      let rest = st.pointee.engine.sendVectors
      guard let base = rest.baseAddress, !rest.isEmpty else {
        if st.pointee.engine.wantsToSend { becomeDirty() }
        return
      }
      if rest.count == count - pieceCount {
        sendNow(vectors: UnsafeMutableRawPointer(base), count: rest.count)
      } else {
        st.pointee.socket.send(vectors: UnsafeMutableRawPointer(base), count: rest.count, source: self)
      }
    case .none:
      st.pointee.socket.send(vectors: vectors, count: count, source: self)
    case .endOfStream where st.pointee.socket.isReceiving,
      .failed(_, ECONNRESET) where st.pointee.socket.isReceiving:
      // The receive that the ring has tells of the end, behind what the controller has sent before: its reason perhaps.
      break
    case let end:
      // What the controller has sent before it closed its side, its reason perhaps, is still to be read; more does not come.
      if end == .endOfStream { while st.pointee.isPolled, poll() {} }
      if !st.pointee.socket.isClosing { handle(end) }
    }
  }

  /// Commands of the admin queue do not count: some, like Asynchronous Event Request, may wait for ever.
  private func updateExpectation() {
    guard parameters.queueIdentifier != 0 else { return }
    let outstandingCount = st.pointee.isSocketClosed ? 0 : st.pointee.engine.outstandingCount
    let count = st.pointee.gathering.expectedAnswerCount(outstandingCount: outstandingCount)
    if count == st.pointee.expectedAnswerCount { return }
    expectAnswers(count - st.pointee.expectedAnswerCount)
    st.pointee.expectedAnswerCount = count
  }

  /// Tells the sinks which commands have ended.
  override func run() {
    while let completion = st.pointee.engine.popCompletion() {
      Unmanaged<CompletionSink>.fromOpaque(completion.context!)._withUnsafeGuaranteedRef { $0.complete(completion) }
    }
    updateExpectation()
    if st.pointee.isGathering {
      st.pointee.isGathering = false
      becomeDirty()
    }
    if st.pointee.isSocketClosed { finishClose() }
    notifyCapacityWaiters()
  }

  // MARK: The socket

  override func completed(_ completion: RingCompletion) {
    handle(st.pointee.socket.completed(completion, source: self))
  }

  override func poll() -> Bool {
    let event = st.pointee.socket.receiveNow(
      vectors: UnsafeMutableRawPointer(receiveVectors), count: st.pointee.receiveVectorCount)
    // A pattern: == on an enumeration with payloads is a call, and this is what a spinning reactor does all the time.
    if case .none = event { return false }
    handle(event)
    return true
  }

  private func handle(_ event: SocketEvent) {
    switch event {
    case .connected:
      socketConnected()
    case .received(let count):
      received(count)
    case .sent(let count):
      st.pointee.engine.didSend(byteCount: count)
      if st.pointee.engine.wantsToSend || st.pointee.isTerminating { markDirty() }
      if st.pointee.engine.hasCompletions { markReady() }
    case .endOfStream:
      fail(TransportError(.closedByPeer, "\(transport): the controller closed the connection\(whileDoing)"))
    case .failed(let operation, let code):
      if operation == "connect" {
        let error = TransportError(.connect, "\(transport): cannot connect: \(errorText(code))")
        // The socket of a failed connect has nothing in flight: drop it and try the next address.
        if st.pointee.addresses.isEmpty { fail(error) } else { connectNext(after: error) }
      } else {
        broke(operation, code)
      }
    case .closed:
      socketClosed()
    case .none:
      break
    }
  }

  // Not inlined: once in a connection's life.
  @inline(never) private func socketConnected() {
    st.pointee.hasConnection = true
    do throws(RingError) { try setUserTimeout(toConnect: false) } catch {
      fail(TransportError(.local, "\(transport): \(error)"))
      return
    }
    markDirty()
    receiveMore()
  }

  private func broke(_ operation: String, _ code: Int32) {
    if code == ETIMEDOUT {
      let problem = "nothing acknowledged what was sent, and the kernel has given the connection up"
      let hint = "does the network deliver large packets, too (MTU)?"
      fail(TransportError(.unacknowledged, "\(transport): \(problem); \(hint)"))
      return
    }
    fail(TransportError(.broken, "\(transport): the connection broke (\(operation)): \(errorText(code))"))
  }

  private var whileDoing: String {
    switch state {
    case .connecting: " before it was set up"
    default:
      st.pointee.engine.outstandingCount > 0 ? ", \(st.pointee.engine.outstandingCount) commands outstanding" : ""
    }
  }

  private func received(_ count: Int) {
    if st.pointee.isTerminating {
      discardMore()
      return
    }
    let direct = min(count, st.pointee.directByteCount)
    if direct > 0 { st.pointee.engine.didReceiveDirectly(byteCount: direct) }
    let isHealthy = st.pointee.engine.receive(UnsafeRawBufferPointer(start: buffer, count: count - direct))
    if st.pointee.engine.hasCompletions { markReady() }
    st.pointee.gathering.noteReceive(isSpinning: st.pointee.isPolled)
    switch st.pointee.engine.state {
    case .ready:
      if isConnecting { becomeConnected() }
      if st.pointee.engine.wantsToSend { markDirty() }
    case .initializing:
      break
    case .terminating:
      terminate()
    case .terminatedByController:
      let reason = st.pointee.engine.controllerTermination.map { "\($0)" } ?? ""
      fail(
        TransportError(
          .terminatedByController, "\(transport): the controller ended the connection (C2HTermReq): \(reason)"))
    }
    if isHealthy { receiveMore() }
  }

  private func receiveMore() {
    guard !st.pointee.socket.isClosing else { return }
    // Where large payloads follow one another only headers should land in the buffer: little is received beyond what
    // goes straight into place.
    let isLarge = st.pointee.engine.latestDataByteCount >= directThreshold
    let change = st.pointee.receiveBuffer.noteReceive(isLarge: isLarge)
    if change != .none { adjustReceiveBuffer(change) }
    let direct = st.pointee.engine.directReceiveVectors(
      into: receiveVectors, capacity: Self.receiveVectorCapacity - 1,
      minimumByteCount: isLarge ? 1 : directThreshold)
    st.pointee.directByteCount = direct.byteCount
    var vectorCount = direct.vectorCount
    if vectorCount == 0 {
      receiveVectors[0] = IOVector(base: buffer, count: isLarge ? Self.directTailByteCount : bufferByteCount)
      vectorCount = 1
    } else if direct.byteCount == st.pointee.engine.remainingPayloadByteCount {
      // Only behind the payload's end: a payload in more pieces than there are vectors goes on in the next receive.
      receiveVectors[vectorCount] = IOVector(base: buffer, count: Self.directTailByteCount)
      vectorCount += 1
    }
    st.pointee.receiveVectorCount = vectorCount
    if st.pointee.isPolled { return }
    if startPolling() { st.pointee.isPolled = true } else { submitReceive() }
  }

  // Not inlined: at most once in a thousand receives.
  @inline(never) private func adjustReceiveBuffer(_ change: ReceiveBufferControl.Change) {
    switch change {
    case .none:
      break
    case .mayHold:
      guard parameters.queueIdentifier != 0, transport.options.socketReceiveBufferByteCount == nil,
        let roundTrip = st.pointee.socket.minimumRoundTripMicroseconds,
        roundTrip <= ReceiveBufferControl.longestRoundTripMicroseconds, st.pointee.socket.canReleaseReceiveBuffer
      else { return }
      st.pointee.socket.holdReceiveBuffer(byteCount: ReceiveBufferControl.heldByteCount)
      st.pointee.receiveBuffer.didHold()
    case .release:
      st.pointee.socket.releaseReceiveBuffer(keepingSendBuffer: transport.options.socketSendBufferByteCount != nil)
    }
  }

  override func pollingEnded() {
    st.pointee.isPolled = false
    submitReceive()
  }

  private func submitReceive() {
    let count = st.pointee.receiveVectorCount
    if count == 1 {
      st.pointee.socket.receive(into: receiveVectors[0].base!, count: receiveVectors[0].count, source: self)
    } else {
      st.pointee.socket.receive(vectors: UnsafeMutableRawPointer(receiveVectors), count: count, source: self)
    }
  }

  private func stopPolling() {
    guard st.pointee.isPolled else { return }
    st.pointee.isPolled = false
    reactor.stopPolling(self)
  }

  @inline(never) private func becomeConnected() {
    reactor.setDeadline(nil, of: self)
    // Without a time-out nothing is ever scanned: as good as scheduled.
    st.pointee.isScanScheduled = commandTimeoutNanoseconds == 0
    transition(to: .connected)
  }

  // MARK: The end

  /// A rule was broken: the termination request goes out, then the connection goes.
  private func terminate() {
    guard !st.pointee.isTerminating, !st.pointee.socket.isClosing else { return }
    st.pointee.failure = TransportError(.protocolViolation, "\(transport): \(violationText)")
    st.pointee.isTerminating = true
    stopPolling()
    discardMore()
    reactor.setDeadline(reactor.nowNanoseconds + Self.terminationNanoseconds, of: self)
    markDirty()
  }

  private var violationText: String {
    guard let violation = st.pointee.engine.violation else { return "the controller broke the transport's rules" }
    if violation.field == .digests && violation.rule == .equal {
      // It may refuse digests (NVMe/TCP 1.1, section 3.6.2.3): the host is who will not do without them.
      let missing = PDUDigests(rawValue: UInt8(truncatingIfNeeded: violation.expected & ~violation.received))
      let names = [(PDUDigests.header, "header digests"), (.data, "data digests")]
        .filter { missing.contains($0.0) }.map(\.1).joined(separator: " and ")
      return "the controller does not enable \(names), which were asked for; it can be used without them"
    }
    return "the controller broke the transport's rules: \(violation)"
  }

  /// What still comes is read and thrown away: closing a socket with unread bytes would reset the connection, and take the
  /// termination request from the controller.
  private func discardMore() {
    guard !st.pointee.socket.isClosing, !st.pointee.socket.isReceiving else { return }
    st.pointee.socket.receive(into: buffer, count: bufferByteCount, source: self)
  }

  private func fail(_ error: TransportError) {
    if st.pointee.failure == nil { st.pointee.failure = error }
    beginClose()
  }

  override var failure: TransportError? { st.pointee.failure }

  override var pinnedTransport: (any Transport)? {
    var pinned = transport
    pinned.address = st.pointee.address
    return pinned
  }

  override func close() { beginClose() }

  override func reactorIsEnding() { fail(TransportError(.local, "\(transport): \(ReactorGone())")) }

  private func beginClose() {
    switch state {
    case .closing, .closed: return
    case .connecting, .connected: break
    }
    stopPolling()
    reactor.setDeadline(nil, of: self)
    transition(to: .closing)
    // Commands are not to reach the controller after their end has been told: who sends them again counts on that.
    st.pointee.socket.discardUnsentOnClose()
    if st.pointee.socket.beginClose(source: self) { socketClosed() }
  }

  private func socketClosed() {
    // Only now does the kernel hold none of the commands' memory.
    st.pointee.engine.failAll()
    st.pointee.isSocketClosed = true
    updateExpectation()
    markReady()
  }

  // Not inlined: looking at the state copies its error, which counts references.
  @inline(never) private func finishClose() {
    guard case .closing = state else { return }
    // The owner is told of the end before those who wait for capacity: they would find the closed queue pair still there.
    transition(to: .closed(st.pointee.failure))
    retire()
  }
}
