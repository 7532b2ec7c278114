internal import NVMeHost
internal import NVMeProtocol
internal import RingReactor

/// The channel of an NVMe namespace: turns requests into commands on one of its controller's I/O queues, splits what is
/// larger than a command may be, and holds back what the queue has no room for.
final class NVMeChannel: BlockChannel {
  private struct State: ~Copyable {
    var limits: NVMeNamespaceLimits
    let slots: UnsafeMutablePointer<NVMeRequestSlot>
    let freeSlots: UnsafeMutablePointer<UInt16>
    var freeCount: Int
    /// Requests with commands still to be submitted, first come first served.
    var waiting: IndexQueue
    var isWaitingForCapacity = false
    var commandsUnderWay = 0
    var isRetired = false
  }

  private let queue: IOQueue
  private let state: UnsafeMutablePointer<State>

  init(reactor: Reactor, queueDepth: Int, queue: IOQueue, limits: NVMeNamespaceLimits) {
    self.queue = queue
    let slots = UnsafeMutablePointer<NVMeRequestSlot>.allocate(capacity: queueDepth)
    slots.initialize(repeating: NVMeRequestSlot(), count: queueDepth)
    let freeSlots = UnsafeMutablePointer<UInt16>.allocate(capacity: queueDepth)
    for index in 0..<queueDepth { (freeSlots + index).initialize(to: UInt16(queueDepth - 1 - index)) }
    state = .allocate(capacity: 1)
    state.initialize(
      to: State(
        limits: limits, slots: slots, freeSlots: freeSlots, freeCount: queueDepth,
        waiting: IndexQueue(capacity: queueDepth)))
    super.init(reactor: reactor, queueDepth: queueDepth)
    queue.addUser()
  }

  deinit {
    queue.removeUser()
    state.pointee.slots.deallocate()
    state.pointee.freeSlots.deallocate()
    state.deinitialize(count: 1)
    state.deallocate()
  }

  /// Its queue has a connection now.
  var isConnected: Bool { queue.queuePair != nil }

  /// The controller's association that its queue belongs to.
  var queueAssociation: UInt64 { queue.association }

  override var geometry: BlockGeometry { state.pointee.limits.geometry }
  override var capabilities: BlockCapabilities { state.pointee.limits.capabilities }

  /// The namespace has changed, or gone.
  func update(_ limits: NVMeNamespaceLimits) {
    state.pointee.limits = limits
    guard limits.isGone else { return }
    // What waits for room would be sent to whichever namespace has the NSID now.
    issueWaiting()
    close()
  }

  override func start(_ request: BlockRequest) {
    // The base class takes no more than `queueDepth` requests, so a slot is always free.
    state.pointee.freeCount -= 1
    let index = Int(state.pointee.freeSlots[state.pointee.freeCount])
    let slot = state.pointee.slots + index
    slot.pointee.request = request
    slot.pointee.issuedBlockCount = 0
    slot.pointee.commandsUnderWay = 0
    slot.pointee.outcome = .success
    slot.pointee.status = StatusField(rawValue: 0)
    slot.pointee.hasReachedController = false
    slot.pointee.isWaiting = false
    if request.vectors == nil { slot.pointee.vector = request.buffer }
    if state.pointee.waiting.isEmpty {
      if !issueWhole(index) { issue(index) }
    } else {
      slot.pointee.isWaiting = true
      state.pointee.waiting.append(UInt16(index))
    }
  }

  /// Submits a read or write that is one command: what nearly every request is. Returns false when it is not, or when the
  /// queue does not take it; nothing has happened then.
  private func issueWhole(_ index: Int) -> Bool {
    let slot = state.pointee.slots + index
    let isRead = slot.pointee.request.operation == .read
    let blockCount = slot.pointee.request.blockCount
    guard isRead || slot.pointee.request.operation == .write,
      blockCount <= state.pointee.limits.maximumTransferBlockCount,
      state.pointee.limits.geometry.optimalBoundaryBlockCount == 0, let queuePair = queue.queuePair
    else { return false }
    let vectors = slot.pointee.request.vectors
    let data = DataSegments(
      vectors: vectors ?? vectorPointer(slot), vectorCount: vectors == nil ? 1 : slot.pointee.request.vectorCount,
      byteOffset: 0, byteCount: blockCount &* state.pointee.limits.geometry.blockByteCount)
    let namespace = state.pointee.limits.namespaceIdentifier
    let lba = slot.pointee.request.logicalBlockAddress
    let forcesUnitAccess = slot.pointee.request.options.contains(.forceUnitAccess)
    let command: SubmissionQueueEntry =
      isRead
      ? .read(
        namespaceIdentifier: namespace, startingLBA: lba, blockCount: Int(blockCount),
        forceUnitAccess: forcesUnitAccess)
      : .write(
        namespaceIdentifier: namespace, startingLBA: lba, blockCount: Int(blockCount),
        forceUnitAccess: forcesUnitAccess)
    let isSubmitted = queuePair._withUnsafeGuaranteedRef {
      $0.submit(
        command, data: data, direction: isRead ? .controllerToHost : .hostToController,
        sink: Unmanaged<CompletionSink>.passUnretained(self), token: UInt64(index))
    }
    guard isSubmitted else { return false }
    slot.pointee.issuedBlockCount = blockCount
    slot.pointee.commandsUnderWay = 1
    state.pointee.commandsUnderWay &+= 1
    return true
  }

  /// Submits as many of a request's commands as the queue has room for.
  private func issue(_ index: Int) {
    let slot = state.pointee.slots + index
    guard !state.pointee.limits.isGone, let queuePair = queue.queuePair else {
      fail(index, .notSent, .commandAbortedByHost)
      return
    }
    let operation = slot.pointee.request.operation
    repeat {
      let blockCount = nextBlockCount(slot)
      var data = DataSegments.none
      let lba = slot.pointee.request.logicalBlockAddress &+ UInt64(slot.pointee.issuedBlockCount)
      let command = makeCommand(operation, lba: lba, blockCount: blockCount, slot: slot, data: &data)
      let direction: DataDirection =
        operation == .read ? .controllerToHost : data.byteCount > 0 ? .hostToController : .none
      let isSubmitted = queuePair._withUnsafeGuaranteedRef {
        $0.submit(
          command, data: data, direction: direction, sink: Unmanaged<CompletionSink>.passUnretained(self),
          token: UInt64(index))
      }
      guard isSubmitted else {
        slot.pointee.isWaiting = true
        state.pointee.waiting.prepend(UInt16(index))
        if !state.pointee.isWaitingForCapacity {
          state.pointee.isWaitingForCapacity = true
          queuePair._withUnsafeGuaranteedRef { $0.waitForCapacity(self) }
        }
        return
      }
      slot.pointee.issuedBlockCount &+= blockCount
      slot.pointee.commandsUnderWay &+= 1
      state.pointee.commandsUnderWay &+= 1
      // The range of a discard lies in the slot: the next one waits for the answer to this one.
      if operation == .flush || operation == .discard { return }
    } while slot.pointee.issuedBlockCount < slot.pointee.request.blockCount
  }

  /// How many blocks the next command of a request takes.
  private func nextBlockCount(_ slot: UnsafeMutablePointer<NVMeRequestSlot>) -> UInt32 {
    let left = slot.pointee.request.blockCount &- slot.pointee.issuedBlockCount
    switch slot.pointee.request.operation {
    case .flush: return 0
    case .discard: return min(left, state.pointee.limits.maximumDiscardBlockCount)
    case .writeZeroes: return min(left, state.pointee.limits.maximumZeroesBlockCount)
    case .verify: return min(left, state.pointee.limits.maximumVerifyBlockCount)
    case .read, .write, .compare:
      var count = min(left, state.pointee.limits.maximumTransferBlockCount)
      let boundary = state.pointee.limits.geometry.optimalBoundaryBlockCount
      if boundary > 0 {
        let lba = slot.pointee.request.logicalBlockAddress &+ UInt64(slot.pointee.issuedBlockCount)
        count = min(count, boundary &- UInt32(truncatingIfNeeded: lba % UInt64(boundary)))
      }
      return count
    }
  }

  private func makeCommand(
    _ operation: BlockOperation, lba: UInt64, blockCount: UInt32, slot: UnsafeMutablePointer<NVMeRequestSlot>,
    data: inout DataSegments
  ) -> SubmissionQueueEntry {
    let namespace = state.pointee.limits.namespaceIdentifier
    let blocks = Int(blockCount)
    let forcesUnitAccess = slot.pointee.request.options.contains(.forceUnitAccess)
    if operation.hasData {
      let blockByteCount = state.pointee.limits.geometry.blockByteCount
      data = DataSegments(
        vectors: slot.pointee.request.vectors ?? vectorPointer(slot),
        vectorCount: slot.pointee.request.vectors == nil ? 1 : slot.pointee.request.vectorCount,
        byteOffset: slot.pointee.issuedBlockCount &* blockByteCount, byteCount: blockCount &* blockByteCount)
    }
    switch operation {
    case .read:
      return .read(
        namespaceIdentifier: namespace, startingLBA: lba, blockCount: blocks, forceUnitAccess: forcesUnitAccess)
    case .write:
      return .write(
        namespaceIdentifier: namespace, startingLBA: lba, blockCount: blocks, forceUnitAccess: forcesUnitAccess)
    case .compare:
      return .compare(
        namespaceIdentifier: namespace, startingLBA: lba, blockCount: blocks, forceUnitAccess: forcesUnitAccess)
    case .verify:
      return .verify(
        namespaceIdentifier: namespace, startingLBA: lba, blockCount: blocks, forceUnitAccess: forcesUnitAccess)
    case .writeZeroes:
      return .writeZeroes(
        namespaceIdentifier: namespace, startingLBA: lba, blockCount: blocks,
        deallocate: state.pointee.limits.deallocatesZeroes && !slot.pointee.request.options.contains(.noHole),
        forceUnitAccess: forcesUnitAccess)
    case .flush:
      return .flush(namespaceIdentifier: namespace)
    case .discard:
      slot.pointee.range = (0, blockCount.littleEndian, lba.littleEndian)
      let range = UnsafeMutableRawPointer(slot)
        .advanced(by: MemoryLayout<NVMeRequestSlot>.offset(of: \NVMeRequestSlot.range)!)
      slot.pointee.vector = IOVector(base: range, count: 16)
      data = DataSegments(vectors: vectorPointer(slot), vectorCount: 1, byteOffset: 0, byteCount: 16)
      return .datasetManagement(namespaceIdentifier: namespace, rangeCount: 1, deallocate: true)
    }
  }

  private func vectorPointer(_ slot: UnsafeMutablePointer<NVMeRequestSlot>) -> UnsafePointer<IOVector> {
    UnsafeRawPointer(slot).advanced(by: MemoryLayout<NVMeRequestSlot>.offset(of: \NVMeRequestSlot.vector)!)
      .assumingMemoryBound(to: IOVector.self)
  }

  override func complete(_ completion: CommandCompletion) {
    let index = Int(completion.token)
    let slot = state.pointee.slots + index
    slot.pointee.commandsUnderWay &-= 1
    state.pointee.commandsUnderWay &-= 1
    if completion.outcome != .notSent { slot.pointee.hasReachedController = true }
    if completion.outcome != .answered || !completion.status.isSuccess {
      // The first failure is the request's; nothing more of it is submitted. But a lost command comes before all others:
      // it may still be carried out, and who sends the request again has to know.
      if slot.pointee.outcome == .success || completion.outcome == .connectionLost {
        slot.pointee.outcome = Self.outcome(of: completion)
        slot.pointee.status = completion.status
      }
    }
    // A request that waits goes on, or ends, when its turn comes.
    if slot.pointee.commandsUnderWay == 0 && !slot.pointee.isWaiting {
      let goesOn =
        slot.pointee.request.operation == .discard && slot.pointee.outcome == .success
        && slot.pointee.issuedBlockCount < slot.pointee.request.blockCount
      if goesOn { goOn(index) } else { end(index) }
    }
    if !state.pointee.waiting.isEmpty { issueWaiting() }
    if isClosed { retireIfDone() }
  }

  /// The next command of a request whose commands go one after the other; behind those that wait already.
  @inline(never) private func goOn(_ index: Int) {
    if state.pointee.waiting.isEmpty {
      issue(index)
    } else {
      state.pointee.slots[index].isWaiting = true
      state.pointee.waiting.append(UInt16(index))
    }
  }

  private static func outcome(of completion: CommandCompletion) -> BlockOutcome {
    switch completion.outcome {
    case .answered: completion.status.matches(.compareFailure) ? .compareMismatch : .deviceError
    case .dataDigestError: .dataDigestError
    case .shortData: .shortData
    case .connectionLost: .connectionLost
    case .notSent: .notSent
    }
  }

  /// The queue has room again.
  override func run() {
    state.pointee.isWaitingForCapacity = false
    issueWaiting()
    if isClosed { retireIfDone() }
  }

  private func issueWaiting() {
    while let index = state.pointee.waiting.popFirst() {
      let slot = state.pointee.slots + Int(index)
      slot.pointee.isWaiting = false
      if slot.pointee.outcome != .success {
        // It has failed while it waited.
        if slot.pointee.commandsUnderWay == 0 { end(Int(index)) }
        continue
      }
      issue(Int(index))
      // No room: it has put itself back at the front.
      if slot.pointee.isWaiting { return }
    }
  }

  private func fail(_ index: Int, _ outcome: BlockOutcome, _ status: StatusField) {
    let slot = state.pointee.slots + index
    if slot.pointee.outcome == .success {
      slot.pointee.outcome = outcome
      slot.pointee.status = status
    }
    if slot.pointee.commandsUnderWay == 0 { end(index) }
    // It may have failed within `submit`: the next turn must not sleep while this can be polled.
    reactor.markReady(self)
  }

  private func end(_ index: Int) {
    let slot = state.pointee.slots + index
    var outcome = slot.pointee.outcome
    // Not all of it has been sent, but some: what became of the blocks is unknown.
    if outcome == .notSent && slot.pointee.hasReachedController { outcome = .connectionLost }
    state.pointee.freeSlots[state.pointee.freeCount] = UInt16(index)
    state.pointee.freeCount += 1
    finish(
      BlockCompletion(
        token: slot.pointee.request.token, operation: slot.pointee.request.operation,
        logicalBlockAddress: slot.pointee.request.logicalBlockAddress, blockCount: slot.pointee.request.blockCount,
        outcome: outcome, status: slot.pointee.status))
  }

  override func didClose() { retireIfDone() }

  /// A closed channel stays on the reactor until the last of its commands has ended.
  private func retireIfDone() {
    guard !state.pointee.isRetired, state.pointee.commandsUnderWay == 0, state.pointee.waiting.isEmpty else { return }
    state.pointee.isRetired = true
    retire()
  }
}
