import Glibc
internal import NVMeProtocol
internal import RingReactor

/// I/O commands of the NVM Command Set.
extension TargetConnection {
  func executeIO(_ index: Int, _ command: SubmissionQueueEntry) {
    if core.configuration.hasTrafficBasedKeepAlive { st.pointee.statistics!.pointee.hasTraffic = true }
    let identifier = command.namespaceIdentifier
    if command.opcode == IOOpcode.flush.rawValue && identifier == .max {
      flushAll(index)
      return
    }
    guard identifier >= 1, identifier <= st.pointee.maximumNamespaceIdentifier, let views = st.pointee.views else {
      fail(index, .invalidNamespaceOrFormat.withDoNotRetry)
      return
    }
    let view = views[Int(identifier)]
    guard view.kind != .none else {
      fail(index, .invalidNamespaceOrFormat.withDoNotRetry)
      return
    }
    st.pointee.engine.slots[index].subject = view.identity
    let access = st.pointee.accessStates![Int(view.accessGroup)]
    if access > ANAState.nonOptimized.rawValue {
      fail(index, Self.status(ofAccess: access))
      return
    }
    switch command.opcode {
    case IOOpcode.read.rawValue: read(index, command, view)
    case IOOpcode.write.rawValue: write(index, command, view)
    case IOOpcode.compare.rawValue: compare(index, command, view)
    case IOOpcode.writeZeroes.rawValue: writeZeroes(index, command, view)
    case IOOpcode.verify.rawValue: verify(index, command, view)
    case IOOpcode.flush.rawValue: flush(index, view)
    case IOOpcode.datasetManagement.rawValue: manageDataset(index, command)
    default: fail(index, .invalidCommandOpcode.withDoNotRetry)
    }
  }

  /// All data of a command has come.
  func finishIO(_ index: Int, _ command: SubmissionQueueEntry) {
    // It may have been removed while the data came, and another one, with other blocks, be in its place.
    guard let view = view(index, command) else {
      fail(index, .invalidNamespaceOrFormat.withDoNotRetry)
      return
    }
    switch command.opcode {
    case IOOpcode.write.rawValue:
      if view.kind == .file, let file = view.file {
        let operation = FileOperation(
          offset: command.startingLBA << UInt64(view.blockShift), byteCount: command.blockCount << Int(view.blockShift),
          isSynchronous: command.forceUnitAccess)
        start(index, operation, file: file, isWrite: true)
        return
      }
      st.pointee.engine.respond(index)
    case IOOpcode.compare.rawValue:
      finishReceivingCompare(index, command, view)
    case IOOpcode.datasetManagement.rawValue:
      finishManageDataset(index, command, view)
    default:
      st.pointee.engine.respond(index)
    }
  }

  /// The namespace that a command was begun on; nil when it is not there any more.
  private func view(_ index: Int, _ command: SubmissionQueueEntry) -> NamespaceView? {
    let view = st.pointee.views![Int(command.namespaceIdentifier)]
    return view.kind != .none && view.identity == st.pointee.engine.slots[index].subject ? view : nil
  }

  private static func status(ofAccess state: UInt8) -> StatusField {
    switch ANAState(rawValue: state) {
    case .persistentLoss: .asymmetricAccessPersistentLoss
    case .change: .asymmetricAccessTransition
    default: .asymmetricAccessInaccessible
    }
  }

  // MARK: Ranges

  /// Checks the blocks of a command; on failure answers it and returns nil, else the byte offset and count.
  private func range(
    _ index: Int, _ command: SubmissionQueueEntry, _ view: NamespaceView, transfers: Bool, changes: Bool
  ) -> (offset: UInt64, byteCount: Int)? {
    let blocks = UInt64(command.blockCount)
    let end = command.startingLBA.addingReportingOverflow(blocks)
    guard !end.overflow, end.partialValue <= view.blockCount else {
      fail(index, .lbaOutOfRange.withDoNotRetry)
      return nil
    }
    let byteCount = Int(blocks) << Int(view.blockShift)
    guard !transfers || byteCount <= core.maximumTransferByteCount else {
      // Beyond MDTS (NVMe Base 2.1, figure 312).
      fail(index, .invalidFieldInCommand.withDoNotRetry)
      return nil
    }
    guard !changes || !view.isReadOnly else {
      fail(index, .namespaceIsWriteProtected.withDoNotRetry)
      return nil
    }
    return (command.startingLBA << UInt64(view.blockShift), byteCount)
  }

  // MARK: Buffers

  /// The most bytes of buffers that a connection's commands have at once. A host may leave out the data that it was asked
  /// for, or not fetch its answers: it can have as many commands outstanding as its queue has entries.
  private static let bufferByteLimit = 32 << 20

  /// Whether a command may have so large a buffer now; else it begins anew when others have given theirs back.
  func mayBegin(_ index: Int, byteCount: Int) -> Bool {
    if st.pointee.isBeginningDeferred || st.pointee.deferred.isEmpty && fits(byteCount) { return true }
    st.pointee.deferred.append(
      DeferredCommand(
        slot: index, generation: st.pointee.engine.slots[index].generation, byteCount: byteCount))
    return false
  }

  private func fits(_ byteCount: Int) -> Bool {
    let lent = st.pointee.engine.lentByteCount
    return lent == 0 || lent + byteCount <= Self.bufferByteLimit
  }

  /// Begins commands that have waited for buffers, in their order.
  func beginDeferred() {
    while let first = st.pointee.deferred.first, fits(first.byteCount), !st.pointee.isClosing {
      st.pointee.deferred.removeFirst()
      // It may have been aborted.
      let slot = st.pointee.engine.slots[first.slot]
      guard slot.phase == .owned, slot.generation == first.generation else { continue }
      st.pointee.isBeginningDeferred = true
      if st.pointee.queueIdentifier == 0 {
        executeAdmin(first.slot, slot.command)
      } else {
        executeIO(first.slot, slot.command)
      }
      st.pointee.isBeginningDeferred = false
    }
  }

  // MARK: Read and write

  private func read(_ index: Int, _ command: SubmissionQueueEntry, _ view: NamespaceView) {
    guard let (offset, byteCount) = range(index, command, view, transfers: true, changes: false) else { return }
    if case .invalid(let status) = st.pointee.engine.dataPlacement(index, byteCount: byteCount, isWrite: false) {
      fail(index, status)
      return
    }
    guard view.kind != .file || mayBegin(index, byteCount: byteCount) else { return }
    st.pointee.statistics!.pointee.readCommands &+= 1
    st.pointee.statistics!.pointee.readBytes &+= UInt64(byteCount)
    switch view.kind {
    case .memory:
      // Straight out of the mapping: it outlives the send.
      st.pointee.engine.sendData(index, from: view.base! + Int(offset), byteCount: byteCount)
    case .null:
      st.pointee.engine.sendData(index, from: core.zeroes.base, byteCount: byteCount, period: core.zeroes.byteCount)
    case .file:
      _ = st.pointee.engine.buffer(index, byteCount: byteCount)
      start(index, FileOperation(offset: offset, byteCount: byteCount), file: view.file!, isWrite: false)
    case .none:
      break
    }
  }

  private func write(_ index: Int, _ command: SubmissionQueueEntry, _ view: NamespaceView) {
    guard let (offset, byteCount) = range(index, command, view, transfers: true, changes: true) else { return }
    let placement = st.pointee.engine.dataPlacement(index, byteCount: byteCount, isWrite: true)
    if case .invalid(let status) = placement {
      fail(index, status)
      return
    }
    // What is in the capsule is short, and comes now.
    guard view.kind != .file || placement == .inCapsule || mayBegin(index, byteCount: byteCount) else { return }
    st.pointee.statistics!.pointee.writeCommands &+= 1
    st.pointee.statistics!.pointee.writtenBytes &+= UInt64(byteCount)
    let memory: UnsafeMutableRawPointer?
    switch view.kind {
    case .memory: memory = view.base! + Int(offset)
    case .null, .none: memory = nil
    case .file: memory = st.pointee.engine.buffer(index, byteCount: byteCount)
    }
    st.pointee.engine.receiveData(index, placement: placement, into: memory, byteCount: byteCount)
  }

  private func writeZeroes(_ index: Int, _ command: SubmissionQueueEntry, _ view: NamespaceView) {
    guard let (offset, byteCount) = range(index, command, view, transfers: false, changes: true) else { return }
    let exponent = core.configuration.writeZeroesSizeExponent
    guard exponent == 0 || byteCount <= 4096 << Int(exponent) else {
      fail(index, .commandSizeLimitExceeded.withDoNotRetry)
      return
    }
    switch view.kind {
    case .memory:
      zero(index, view.region!, [Int(offset)..<Int(offset) + byteCount])
    case .null, .none:
      st.pointee.engine.respond(index)
    case .file:
      // Without DEAC blocks stay allocated, so that later writes to them do not fail for want of room.
      var zeroing = FileZeroing(
        offset: offset, byteCount: UInt64(byteCount), holes: command.deallocatesZeroes ? .wanted : .forbidden,
        isSynchronous: command.forceUnitAccess)
      let failure = view.file!._withUnsafeGuaranteedRef {
        zeroing.start($0, source: self, operation: Operation.fileOther, tag: UInt16(index))
      }
      guard failure == nil else {
        fail(index, .internalError)
        return
      }
      begin(index, FileOperation(remaining: 1, zeroing: zeroing))
    }
  }

  private func verify(_ index: Int, _ command: SubmissionQueueEntry, _ view: NamespaceView) {
    guard range(index, command, view, transfers: false, changes: false) != nil else { return }
    // Memory does not rot, and there is no protection information to check.
    st.pointee.engine.respond(index)
  }

  // MARK: Compare

  private func compare(_ index: Int, _ command: SubmissionQueueEntry, _ view: NamespaceView) {
    guard let (_, byteCount) = range(index, command, view, transfers: true, changes: false) else { return }
    let placement = st.pointee.engine.dataPlacement(index, byteCount: byteCount, isWrite: true)
    if case .invalid(let status) = placement {
      fail(index, status)
      return
    }
    // For a file both sides of the comparison have to be fetched: the host's first, the file's behind it.
    let bufferByteCount = view.kind == .file ? 2 * byteCount : byteCount
    guard placement == .inCapsule || mayBegin(index, byteCount: bufferByteCount) else { return }
    let buffer = st.pointee.engine.buffer(index, byteCount: bufferByteCount)
    st.pointee.engine.receiveData(index, placement: placement, into: buffer, byteCount: byteCount)
  }

  private func finishReceivingCompare(_ index: Int, _ command: SubmissionQueueEntry, _ view: NamespaceView) {
    // The namespace may have shrunk while the data came.
    guard let (offset, byteCount) = range(index, command, view, transfers: true, changes: false) else { return }
    let buffer = st.pointee.engine.buffer(index, byteCount: byteCount)
    switch view.kind {
    case .memory:
      finishCompare(index, memcmp(buffer, view.base! + Int(offset), byteCount) == 0)
    case .null, .none:
      var isEqual = true
      var at = 0
      while at < byteCount && isEqual {
        let piece = min(byteCount - at, core.zeroes.byteCount)
        isEqual = memcmp(buffer + at, core.zeroes.base, piece) == 0
        at += piece
      }
      finishCompare(index, isEqual)
    case .file:
      start(index, FileOperation(offset: offset, byteCount: byteCount), file: view.file!, isWrite: false)
    }
  }

  private func finishCompare(_ index: Int, _ isEqual: Bool) {
    if isEqual {
      st.pointee.engine.respond(index)
    } else {
      fail(index, .compareFailure.withDoNotRetry)
    }
  }

  // MARK: Dataset management

  private func manageDataset(_ index: Int, _ command: SubmissionQueueEntry) {
    // Hosts may send more than the ranges that NR counts: Linux's always sends all 4096 bytes that there can be.
    let byteCount = min(max(Int(command.sgl.length), (Int(command.cdw10 & 0xFF) + 1) * 16), 4096)
    let placement = st.pointee.engine.dataPlacement(index, byteCount: byteCount, isWrite: true)
    if case .invalid(let status) = placement {
      fail(index, status)
      return
    }
    let buffer = st.pointee.engine.buffer(index, byteCount: 4096)
    st.pointee.engine.receiveData(index, placement: placement, into: buffer, byteCount: byteCount)
  }

  private func finishManageDataset(_ index: Int, _ command: SubmissionQueueEntry, _ view: NamespaceView) {
    let count = Int(command.cdw10 & 0xFF) + 1
    let ranges = UnsafeRawPointer(st.pointee.engine.buffer(index, byteCount: 4096))
    func range(_ position: Int) -> (start: UInt64, blocks: UInt64) {
      let blocks = UInt32(littleEndian: ranges.loadUnaligned(fromByteOffset: 16 * position + 4, as: UInt32.self))
      let start = UInt64(littleEndian: ranges.loadUnaligned(fromByteOffset: 16 * position + 8, as: UInt64.self))
      return (start, UInt64(blocks))
    }
    // All are checked before any is touched.
    let limit = UInt64(core.configuration.maximumDatasetManagementRangeBlockCount)
    for position in 0..<count {
      let (start, blocks) = range(position)
      guard limit == 0 || blocks <= limit else {
        fail(index, .commandSizeLimitExceeded.withDoNotRetry)
        return
      }
      let end = start.addingReportingOverflow(blocks)
      guard !end.overflow, end.partialValue <= view.blockCount else {
        fail(index, .lbaOutOfRange.withDoNotRetry)
        return
      }
    }
    // AD, deallocate. Other attributes are hints.
    guard command.cdw11 & 1 << 2 != 0, view.kind == .memory || view.kind == .file else {
      st.pointee.engine.respond(index)
      return
    }
    guard !view.isReadOnly else {
      fail(index, .namespaceIsWriteProtected.withDoNotRetry)
      return
    }
    if view.kind == .memory {
      let ranges = (0..<count).map { position in
        let (start, blocks) = range(position)
        return Int(start << UInt64(view.blockShift))..<Int((start + blocks) << UInt64(view.blockShift))
      }
      zero(index, view.region!, ranges)
      return
    }
    var entries = 0
    begin(index, FileOperation())
    for position in 0..<count {
      let (start, blocks) = range(position)
      guard blocks > 0 else { continue }
      if entries > 0 { st.pointee.fileOperationCount += 1 }
      entries += 1
      view.file!._withUnsafeGuaranteedRef {
        $0.allocate(
          .punchHole, offset: start << UInt64(view.blockShift), byteCount: blocks << UInt64(view.blockShift),
          source: self, operation: Operation.fileOther, tag: UInt16(index))
      }
    }
    st.pointee.fileOperations![index].remaining = entries
    if entries > 0 { return }
    st.pointee.fileOperationCount -= 1
    st.pointee.engine.respond(index)
  }

  // MARK: Zeroes in memory

  /// Has ranges of a command's namespace zeroed, then answers it: at once if that takes no time.
  private func zero(_ index: Int, _ region: Unmanaged<MemoryRegion>, _ ranges: [Range<Int>]) {
    var zeroing = MemoryZeroing(
      slot: index, generation: st.pointee.engine.slots[index].generation, ranges: ranges.reversed())
    if region._withUnsafeGuaranteedRef({ zeroing.advance(in: $0) }) {
      st.pointee.engine.respond(index)
    } else {
      st.pointee.zeroings.append(zeroing)
      markReady()
    }
  }

  /// Does the next piece of what takes longer.
  func advanceZeroing() {
    guard !st.pointee.isClosing, let first = st.pointee.zeroings.first else { return }
    // It may have been aborted, or its namespace be gone.
    let slot = st.pointee.engine.slots[first.slot]
    if slot.phase != .owned || slot.generation != first.generation {
      st.pointee.zeroings.removeFirst()
    } else if let region = view(first.slot, slot.command)?.region {
      if region._withUnsafeGuaranteedRef({ st.pointee.zeroings[0].advance(in: $0) }) {
        st.pointee.zeroings.removeFirst()
        answer(first.slot)
      }
    } else {
      st.pointee.zeroings.removeFirst()
      fail(first.slot, .invalidNamespaceOrFormat.withDoNotRetry)
      answeredLater()
    }
    if !st.pointee.zeroings.isEmpty { markReady() }
  }

  // MARK: Flush

  private func flush(_ index: Int, _ view: NamespaceView) {
    guard view.kind == .file, let file = view.file else {
      st.pointee.engine.respond(index)
      return
    }
    begin(index, FileOperation(remaining: 1))
    file._withUnsafeGuaranteedRef {
      $0.synchronize(source: self, operation: Operation.fileOther, tag: UInt16(index))
    }
  }

  private func flushAll(_ index: Int) {
    let files = controller?.subsystem?.namespaces.values.compactMap { $0.view.file } ?? []
    guard !files.isEmpty else {
      st.pointee.engine.respond(index)
      return
    }
    begin(index, FileOperation(remaining: files.count))
    st.pointee.fileOperationCount += files.count - 1
    for file in files {
      file._withUnsafeGuaranteedRef {
        $0.synchronize(source: self, operation: Operation.fileOther, tag: UInt16(index))
      }
    }
  }

  // MARK: Files on the ring

  /// Notes an operation of one ring entry.
  private func begin(_ index: Int, _ operation: FileOperation) {
    let capacity = st.pointee.engine.slotCapacity
    if st.pointee.fileSlotCapacity < capacity {
      // Slots are sized by Connect, before the first file operation.
      st.pointee.fileOperations?.deallocate()
      st.pointee.fileVectors?.deallocate()
      st.pointee.fileOperations = .allocate(capacity: capacity)
      st.pointee.fileOperations!.initialize(repeating: FileOperation(), count: capacity)
      st.pointee.fileVectors = .allocate(capacity: capacity)
      st.pointee.fileVectors!.initialize(repeating: IOVector(base: nil, count: 0), count: capacity)
      st.pointee.fileSlotCapacity = capacity
    }
    st.pointee.fileOperations![index] = operation
    st.pointee.fileOperationCount += 1
  }

  private func start(_ index: Int, _ operation: FileOperation, file: Unmanaged<RingFile>, isWrite: Bool) {
    var operation = operation
    operation.remaining = 1
    begin(index, operation)
    transfer(index, file: file, isWrite: isWrite)
  }

  /// Has the rest of a transfer done.
  private func transfer(_ index: Int, file: Unmanaged<RingFile>, isWrite: Bool) {
    let operation = st.pointee.fileOperations![index]
    let command = st.pointee.engine.slots[index].command
    var buffer = st.pointee.engine.buffer(index, byteCount: operation.byteCount)
    if command.opcode == IOOpcode.compare.rawValue { buffer += operation.byteCount }
    let vector = st.pointee.fileVectors! + index
    vector.pointee = IOVector(
      base: buffer + operation.doneByteCount, count: operation.byteCount - operation.doneByteCount)
    let offset = operation.offset + UInt64(operation.doneByteCount)
    file._withUnsafeGuaranteedRef {
      if isWrite {
        $0.write(
          vectors: vector, count: 1, offset: offset, isSynchronous: operation.isSynchronous, source: self,
          operation: Operation.fileWrite, tag: UInt16(index))
      } else {
        $0.read(
          vectors: vector, count: 1, offset: offset, source: self, operation: Operation.fileRead, tag: UInt16(index))
      }
    }
  }

  func fileCompleted(_ completion: RingCompletion) {
    let index = Int(completion.tag)
    guard index < st.pointee.fileSlotCapacity else { return }
    let operation = st.pointee.fileOperations! + index
    let command = st.pointee.engine.slots[index].command
    var failure = max(0, -completion.result)
    if operation.pointee.zeroing != nil, !st.pointee.isClosing {
      guard let ended = continueZeroing(completion) else { return }
      failure = ended
    } else if command.opcode == IOOpcode.datasetManagement.rawValue, FileAllocation.isMissing(completion.result) {
      // Deallocation is a hint, which a file system without holes does not follow.
      failure = 0
    }
    if command.opcode == IOOpcode.flush.rawValue {
      failure = -min(0, synchronized(index, command, completion.result))
    } else if failure == EIO, operation.pointee.isSynchronous {
      // The kernel has told this command of what earlier ones have lost, and tells nobody else.
      view(index, command)?.file?._withUnsafeGuaranteedRef { $0.noteLoss(EIO) }
    }
    if operation.pointee.failure == 0 { operation.pointee.failure = failure }
    let isTransfer = completion.operation != Operation.fileOther
    if isTransfer && completion.result > 0 && !st.pointee.isClosing {
      operation.pointee.doneByteCount += Int(completion.result)
      if operation.pointee.doneByteCount < operation.pointee.byteCount {
        if let file = view(index, command)?.file {
          transfer(index, file: file, isWrite: completion.operation == Operation.fileWrite)
          return
        }
        // The namespace is gone, and with it where the rest comes from or goes to.
        operation.pointee.failure = ECANCELED
      }
    }
    operation.pointee.remaining -= 1
    if operation.pointee.remaining > 0 || st.pointee.isClosing {
      fileOperationEnded()
      return
    }
    var result = operation.pointee
    fileOperationEnded()
    // The rest has nowhere to go: the file takes nothing.
    if completion.operation == Operation.fileWrite && result.failure == 0 && result.doneByteCount < result.byteCount {
      result.failure = EIO
    }
    // Reads of a file that has become shorter end early: what is missing reads as zeroes.
    if completion.operation == Operation.fileRead && result.failure == 0 && result.doneByteCount < result.byteCount {
      let buffer = st.pointee.engine.buffer(index, byteCount: result.byteCount)
      let start = command.opcode == IOOpcode.compare.rawValue ? buffer + result.byteCount : buffer
      memset(start + result.doneByteCount, 0, result.byteCount - result.doneByteCount)
    }
    finish(index, command, result, completion.operation)
    answeredLater()
  }

  /// What the end of a file's synchronization says of a Flush.
  private func synchronized(_ index: Int, _ command: SubmissionQueueEntry, _ result: Int32) -> Int32 {
    guard command.namespaceIdentifier == .max else {
      return view(index, command)?.file?._withUnsafeGuaranteedRef { $0.synchronized(result) } ?? result
    }
    // Of all namespaces. Which file has ended is not known: what one has lost is said of all.
    var outcome = result
    for file in controller?.subsystem?.namespaces.values.compactMap({ $0.view.file }) ?? [] {
      outcome = min(outcome, file._withUnsafeGuaranteedRef { $0.synchronized(result) })
    }
    return outcome
  }

  /// Has the next step of Write Zeroes done; nil when there is one, else how it has ended.
  private func continueZeroing(_ completion: RingCompletion) -> Int32? {
    let index = Int(completion.tag)
    let command = st.pointee.engine.slots[index].command
    guard let file = view(index, command)?.file else { return ECANCELED }
    let zeroing = st.pointee.fileOperations! + index
    return file._withUnsafeGuaranteedRef {
      zeroing.pointee.zeroing?.completed(
        completion.result, of: $0, source: self, operation: Operation.fileOther, tag: completion.tag)
    }
  }

  private func finish(_ index: Int, _ command: SubmissionQueueEntry, _ result: FileOperation, _ operation: UInt8) {
    guard result.failure == 0 else {
      if operation == Operation.fileRead {
        fail(index, .unrecoveredReadError)
      } else if result.failure == ENOSPC || result.failure == EDQUOT {
        fail(index, .capacityExceeded)
      } else if operation == Operation.fileWrite {
        fail(index, .writeFault)
      } else {
        fail(index, .internalError)
      }
      return
    }
    if command.opcode == IOOpcode.compare.rawValue {
      let buffer = st.pointee.engine.buffer(index, byteCount: result.byteCount)
      finishCompare(index, memcmp(buffer, buffer + result.byteCount, result.byteCount) == 0)
    } else if operation == Operation.fileRead {
      let buffer = st.pointee.engine.buffer(index, byteCount: result.byteCount)
      st.pointee.engine.sendData(index, from: buffer, byteCount: result.byteCount)
    } else {
      st.pointee.engine.respond(index)
    }
  }
}
