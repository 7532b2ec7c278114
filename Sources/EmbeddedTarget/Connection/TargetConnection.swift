import Glibc
internal import NVMeProtocol
internal import NVMeTCPProtocol
internal import RingReactor

/// One host connection, that is one queue, of the target: the socket on the ring, the sans-I/O queue pair, and the
/// execution of its commands.
final class TargetConnection: ReactorSource {
  /// Behind a pointer: class storage would pay an exclusivity check an access.
  struct State: ~Copyable {
    var engine: TargetQueuePair
    var socket: StreamSocket
    var buffer: UnsafeMutableRawPointer
    var bufferByteCount: Int
    var wantsLargerBuffer = false
    /// Bytes of the receive in flight that go straight to where the data belongs.
    var directByteCount = 0

    // The queue, from Connect on.
    var queueIdentifier: UInt16 = 0
    var isConnected = false
    var views: UnsafeMutablePointer<NamespaceView>?
    var maximumNamespaceIdentifier: UInt32 = 0
    var accessStates: UnsafeMutablePointer<UInt8>?
    var statistics: UnsafeMutablePointer<TargetStatistics>?

    // Time.
    var handshakeDeadline: UInt64
    var keepAliveDeadline: UInt64 = .max
    var terminationDeadline: UInt64 = .max
    var delayed: [DelayedAnswer] = []

    // Commands that wait for buffers, the oldest first.
    var deferred: [DeferredCommand] = []
    var isBeginningDeferred = false

    // Commands that have memory zeroed, the oldest first.
    var zeroings: [MemoryZeroing] = []

    // The end.
    var isSilent = false
    var closesWhenSent = false
    var isClosing = false
    var isSocketClosed = false

    // Files.
    var fileOperations: UnsafeMutablePointer<FileOperation>?
    var fileVectors: UnsafeMutablePointer<IOVector>?
    var fileOperationCount = 0
    var fileSlotCapacity = 0
  }

  struct DelayedAnswer {
    var deadline: UInt64
    var slot: Int
    var generation: UInt16
  }

  struct DeferredCommand {
    var slot: Int
    var generation: UInt16
    /// What it wants.
    var byteCount: Int
  }

  enum Operation {
    static let fileRead: UInt8 = 0x20
    static let fileWrite: UInt8 = 0x21
    static let fileOther: UInt8 = 0x22
  }

  unowned(unsafe) let core: TargetCore
  let port: TargetPort
  private(set) var controller: TargetController?
  /// (Short, because every line of the hot path has it.)
  let st: UnsafeMutablePointer<State>
  private let receiveVectors: UnsafeMutablePointer<IOVector>
  /// The address the host came to.
  let localHost: String

  private static let initialBufferByteCount = 16 * 1024
  private static let queueBufferByteCount = 256 * 1024
  private static let directThresholdByteCount = 16 * 1024
  private static let silenceNanoseconds: UInt64 = 600_000_000_000

  init(reactor: Reactor, core: TargetCore, port: TargetPort, fileDescriptor: Int32) {
    self.core = core
    self.port = port
    localHost = Self.localHost(of: fileDescriptor)
    let handshake = UInt64(core.configuration.handshakeTimeoutMilliseconds) * 1_000_000
    st = .allocate(capacity: 1)
    st.initialize(
      to: State(
        engine: TargetQueuePair(configuration: core.configuration.queuePair),
        socket: StreamSocket(accepted: fileDescriptor),
        buffer: .allocate(byteCount: Self.initialBufferByteCount, alignment: 4096),
        bufferByteCount: Self.initialBufferByteCount,
        handshakeDeadline: MonotonicClock.nanoseconds() + handshake))
    receiveVectors = .allocate(capacity: 2)
    super.init(reactor: reactor)
  }

  deinit {
    st.pointee.buffer.deallocate()
    st.pointee.fileOperations?.deallocate()
    st.pointee.fileVectors?.deallocate()
    st.deinitialize(count: 1)
    st.deallocate()
    receiveVectors.deallocate()
  }

  /// Begins to read. Apart from the initializer, because faults may end the connection here.
  func start() {
    if !core.faults.isEmpty {
      for action in core.faults.actions(at: .connection, port: port.identifier) {
        applyToConnection(action)
      }
    }
    updateDeadline()
    receiveMore()
  }

  private static func localHost(of descriptor: Int32) -> String {
    var storage = sockaddr_storage()
    var length = socklen_t(MemoryLayout<sockaddr_storage>.size)
    return withUnsafeMutableBytes(of: &storage) { bytes in
      let address = bytes.baseAddress!.assumingMemoryBound(to: sockaddr.self)
      guard getsockname(descriptor, address, &length) == 0 else { return "" }
      return withUnsafeTemporaryAllocation(of: CChar.self, capacity: Int(NI_MAXHOST)) { text in
        let code = getnameinfo(address, length, text.baseAddress!, UInt32(NI_MAXHOST), nil, 0, NI_NUMERICHOST)
        return code == 0 ? String(cString: text.baseAddress!) : ""
      }
    }
  }

  // MARK: The socket

  override func completed(_ completion: RingCompletion) {
    if completion.operation >= Operation.fileRead {
      fileCompleted(completion)
      return
    }
    switch st.pointee.socket.completed(completion, source: self) {
    case .received(let count):
      received(count)
    case .sent(let count):
      st.pointee.engine.didSend(byteCount: count)
      if !st.pointee.deferred.isEmpty {
        beginDeferred()
        afterCommands()
      }
      if st.pointee.engine.wantsToSend || st.pointee.closesWhenSent { reactor.markDirty(self) }
    case .endOfStream, .failed:
      close()
    case .closed:
      st.pointee.isSocketClosed = true
      finishClose()
    case .connected, .none:
      break
    }
  }

  override func flush() {
    guard !st.pointee.socket.isSending, !st.pointee.isClosing, !st.pointee.isSilent else { return }
    guard st.pointee.engine.buildSend() > 0 else {
      if st.pointee.closesWhenSent && st.pointee.terminationDeadline == .max { close() }
      return
    }
    let vectors = st.pointee.engine.sendVectors
    st.pointee.socket.send(vectors: UnsafeMutableRawPointer(vectors.baseAddress!), count: vectors.count, source: self)
  }

  override func run() { advanceZeroing() }

  private func received(_ count: Int) {
    guard !st.pointee.isSilent else { return }
    let direct = min(count, st.pointee.directByteCount)
    if direct > 0 { st.pointee.engine.didReceiveDirectly(byteCount: direct) }
    var input = UnsafeRawBufferPointer(start: st.pointee.buffer, count: count - direct)
    loop: while true {
      switch st.pointee.engine.next(&input) {
      case .needsMore:
        break loop
      case .command(let index):
        execute(index)
      case .dataComplete(let index):
        dataCompleted(index)
      case .initialized:
        if !core.faults.isEmpty {
          for action in core.faults.actions(at: .initialization, port: port.identifier) {
            applyToConnection(action)
          }
        }
      case .hostTerminated:
        core.log("the host ended the connection (H2CTermReq)", connection: self)
        close()
      case .violation:
        core.log("\(st.pointee.engine.violation.map { "\($0)" } ?? "")", connection: self)
        beginTermination()
      }
      if st.pointee.isClosing || st.pointee.isSilent { return }
    }
    afterCommands()
    if st.pointee.wantsLargerBuffer { enlargeBuffer() }
    receiveMore()
  }

  /// After anything that may have answered commands.
  func afterCommands() {
    if !st.pointee.engine.newlyDelayed.isEmpty { scheduleDelayed() }
    if st.pointee.engine.wantsToSend { reactor.markDirty(self) }
  }

  private func receiveMore() {
    guard !st.pointee.isClosing, !st.pointee.isSilent, !st.pointee.socket.isReceiving else { return }
    // A connection that is being terminated is read on, so that the host's end of it is noticed.
    st.pointee.directByteCount = 0
    if let direct = st.pointee.engine.directDestination, direct.count >= Self.directThresholdByteCount {
      st.pointee.directByteCount = direct.count
      receiveVectors[0] = IOVector(base: direct.baseAddress, count: direct.count)
      receiveVectors[1] = IOVector(base: st.pointee.buffer, count: st.pointee.bufferByteCount)
      st.pointee.socket.receive(vectors: UnsafeMutableRawPointer(receiveVectors), count: 2, source: self)
      return
    }
    st.pointee.socket.receive(into: st.pointee.buffer, count: st.pointee.bufferByteCount, source: self)
  }

  // MARK: Time

  private func updateDeadline() {
    guard !st.pointee.isSilent, !st.pointee.isClosing else { return }
    var deadline = min(
      st.pointee.handshakeDeadline, st.pointee.keepAliveDeadline, st.pointee.terminationDeadline)
    if let first = st.pointee.delayed.first { deadline = min(deadline, first.deadline) }
    reactor.setDeadline(deadline == .max ? nil : deadline, of: self)
  }

  override func deadlineExpired() {
    let now = reactor.nowNanoseconds
    if st.pointee.isSilent {
      close()
      return
    }
    if st.pointee.terminationDeadline <= now || st.pointee.handshakeDeadline <= now {
      close()
      return
    }
    while let first = st.pointee.delayed.first, first.deadline <= now {
      st.pointee.delayed.removeFirst()
      st.pointee.engine.releaseDelayed(first.slot, generation: first.generation)
      reactor.markDirty(self)
    }
    if st.pointee.keepAliveDeadline <= now, let controller {
      if controller.statistics.pointee.hasTraffic {
        controller.statistics.pointee.hasTraffic = false
        st.pointee.keepAliveDeadline = now + UInt64(controller.keepAliveMilliseconds) * 1_000_000
      } else {
        core.log(
          "controller \(controller.identifier): nothing heard for \(controller.keepAliveMilliseconds) ms",
          connection: self)
        controller.fail()
        return
      }
    }
    updateDeadline()
  }

  /// The Keep Alive Timer starts anew, with the controller's present value.
  func keepAliveChanged() {
    guard let controller, !st.pointee.isSilent else { return }
    st.pointee.keepAliveDeadline =
      controller.keepAliveMilliseconds == 0
      ? .max : reactor.nowNanoseconds + UInt64(controller.keepAliveMilliseconds) * 1_000_000
    updateDeadline()
  }

  private func scheduleDelayed() {
    for index in st.pointee.engine.newlyDelayed {
      let slot = st.pointee.engine.slots[index]
      guard slot.phase == .delayed else { continue }
      let answer = DelayedAnswer(
        deadline: reactor.nowNanoseconds &+ slot.delayNanoseconds, slot: index, generation: slot.generation)
      let position = st.pointee.delayed.firstIndex { $0.deadline > answer.deadline } ?? st.pointee.delayed.count
      st.pointee.delayed.insert(answer, at: position)
    }
    st.pointee.engine.newlyDelayed.removeAll(keepingCapacity: true)
    updateDeadline()
  }

  // MARK: Becoming a queue

  /// Connect has succeeded.
  func become(queue identifier: UInt16, of controller: TargetController, fields: ConnectFields) {
    self.controller = controller
    controller.queues[identifier] = self
    st.pointee.queueIdentifier = identifier
    st.pointee.isConnected = true
    st.pointee.handshakeDeadline = .max
    st.pointee.views = controller.subsystem?.views
    st.pointee.maximumNamespaceIdentifier = controller.subsystem?.maximumNamespaceIdentifier ?? 0
    st.pointee.accessStates = controller.port.accessStates
    st.pointee.statistics = controller.statistics
    let inCapsule = identifier == 0 ? 8192 : core.configuration.inCapsuleDataByteCount
    st.pointee.engine.setQueue(
      entries: fields.entries, flowControl: !fields.disableSubmissionQueueFlowControl,
      maximumInCapsuleDataLength: UInt32(inCapsule))
    if identifier == 0 { keepAliveChanged() } else { updateDeadline() }
    // The buffer cannot be changed now: its bytes are being worked on.
    st.pointee.wantsLargerBuffer = identifier != 0
  }

  private func enlargeBuffer() {
    st.pointee.wantsLargerBuffer = false
    st.pointee.buffer.deallocate()
    st.pointee.bufferByteCount = Self.queueBufferByteCount
    st.pointee.buffer = .allocate(byteCount: Self.queueBufferByteCount, alignment: 4096)
  }

  // MARK: Faults

  /// A fault without a command to answer. Returns whether the connection goes on.
  private func applyToConnection(_ action: FaultRule.Action) {
    switch action {
    case .close: close()
    case .reset: close(reset: true)
    case .silence: beSilent()
    case .delay, .neverAnswer, .status, .corruptHeaderDigest, .corruptDataDigest: break
    }
  }

  /// Applies the faults that match a command. Returns true when nothing is left to be done for it.
  func applyFaults(_ index: Int, _ command: SubmissionQueueEntry) -> Bool {
    let trigger: FaultRule.Trigger
    if command.opcode == AdminOpcode.fabrics.rawValue {
      trigger = .fabricsCommand(command.fabricsCommandType)
    } else if st.pointee.queueIdentifier == 0 {
      trigger = .adminCommand(opcode: command.opcode)
    } else {
      trigger = .ioCommand(opcode: command.opcode)
    }
    for action in core.faults.actions(
      at: trigger, port: port.identifier, subsystem: controller?.subsystem?.nqn, command: command)
    {
      switch action {
      case .delay(let nanoseconds):
        st.pointee.engine.slots[index].delayNanoseconds = max(nanoseconds, 1)
      case .corruptHeaderDigest:
        st.pointee.engine.slots[index].corruptsHeaderDigest = true
      case .corruptDataDigest:
        st.pointee.engine.slots[index].corruptsDataDigest = true
      case .status(let status):
        fail(index, status)
        return true
      case .neverAnswer:
        return true
      case .close, .reset, .silence:
        applyToConnection(action)
        return true
      }
    }
    return false
  }

  private func beSilent() {
    st.pointee.isSilent = true
    // A peer that hangs keeps its timers from running, too. What nobody reads shows no end either, hence the limit.
    reactor.setDeadline(reactor.nowNanoseconds + Self.silenceNanoseconds, of: self)
  }

  /// Whether a command of an I/O queue is under way, or its data on the way out.
  var mayUseNamespaces: Bool {
    st.pointee.queueIdentifier != 0
      && (st.pointee.isClosing || st.pointee.engine.outstandingCount > 0 || st.pointee.engine.unsentByteCount > 0
        || st.pointee.fileOperationCount > 0)
  }

  // MARK: Answers

  /// Ends a command that was held, such as an asynchronous event request.
  func answer(_ index: Int, status: StatusField = .success, dword0: UInt32 = 0) {
    st.pointee.engine.respond(index, status: status, dword0: dword0)
    afterCommands()
  }

  /// Ends a command with a failure, and keeps it in the error log.
  func fail(_ index: Int, _ status: StatusField, dword0: UInt32 = 0) {
    if let controller {
      controller.recordError(
        queueIdentifier: st.pointee.queueIdentifier, command: st.pointee.engine.slots[index].command, status: status)
    }
    st.pointee.engine.respond(index, status: status, dword0: dword0)
  }

  /// Ends a command of this queue that is being held or delayed. Returns false when there is none such.
  ///
  /// - Parameter exception: the slot of the Abort command, if that came on this queue; else -1.
  func abort(commandIdentifier: UInt16, except exception: Int) -> Bool {
    guard let index = st.pointee.engine.heldSlot(commandIdentifier: commandIdentifier, except: exception) else {
      return false
    }
    if st.pointee.fileSlotCapacity > index, let operations = st.pointee.fileOperations,
      operations[index].remaining > 0
    {
      return false
    }
    if st.pointee.queueIdentifier == 0 { controller?.removeEventRequest(slot: index) }
    st.pointee.engine.slots[index].delayNanoseconds = 0
    answer(index, status: .commandAbortRequested)
    return true
  }

  // MARK: The end

  private func beginTermination() {
    st.pointee.closesWhenSent = true
    // Time for the request to leave and for the host to close (NVMe/TCP 1.1, section 3.5).
    st.pointee.terminationDeadline =
      reactor.nowNanoseconds + UInt64(core.configuration.terminationTimeoutMilliseconds) * 1_000_000
    updateDeadline()
    reactor.markDirty(self)
  }

  /// Closes when all that is to be sent has been, as after Disconnect.
  func closeWhenSent() {
    st.pointee.closesWhenSent = true
    reactor.markDirty(self)
  }

  /// Ends the connection. An admin queue takes its controller with it.
  func close(reset: Bool = false) {
    guard !st.pointee.isClosing else { return }
    st.pointee.isClosing = true
    reactor.setDeadline(nil, of: self)
    if reset { st.pointee.socket.setResetOnClose() }
    if let controller {
      self.controller = nil
      controller.queues[st.pointee.queueIdentifier] = nil
      if st.pointee.queueIdentifier == 0 { core.remove(controller, reset: reset) }
    }
    if st.pointee.socket.beginClose(source: self) {
      st.pointee.isSocketClosed = true
      finishClose()
    }
  }

  private func finishClose() {
    guard st.pointee.isSocketClosed, st.pointee.fileOperationCount == 0 else { return }
    core.connectionClosed(self)
    retire()
  }

  /// One ring entry of a file operation has ended.
  func fileOperationEnded() {
    st.pointee.fileOperationCount -= 1
    if st.pointee.isClosing { finishClose() }
  }

  /// Called when a command has been answered outside of the receive loop.
  func answeredLater() { afterCommands() }
}
