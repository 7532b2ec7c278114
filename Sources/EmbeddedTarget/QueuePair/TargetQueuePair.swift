internal import CCRC32C
package import NVMeProtocol
package import NVMeTCPProtocol

/// The controller's side of an NVMe/TCP queue pair, sans-I/O: received bytes in; commands, their data and bytes to send
/// out. It knows neither sockets nor namespaces.
///
/// The owner calls ``next(_:)`` until it needs more, and answers each command with ``respond(_:status:dword0:dword1:)``,
/// ``sendData(_:from:byteCount:period:)`` or ``receiveData(_:into:byteCount:)``, at once or later. In the steady state
/// nothing here allocates.
package struct TargetQueuePair: ~Copyable {
  package enum Event: Equatable {
    /// The input is used up.
    case needsMore
    /// ICReq has come and ICResp is in the send queue.
    case initialized
    /// A command capsule's header has come; in-capsule data may follow. The owner answers, or keeps it.
    case command(Int)
    /// All the data the owner wanted by ``receiveData(_:into:byteCount:)`` has come and is sound.
    case dataComplete(Int)
    /// The host has ended the connection: ``hostTermination``.
    case hostTerminated
    /// The host broke a rule: ``violation``. A termination request is in the send queue; nothing more is read.
    case violation
  }

  /// Where a command's SGL says its data is.
  package enum DataPlacement: Equatable {
    case inCapsule
    case transport
    /// The SGL is wrong; the command fails with this status.
    case invalid(StatusField)
  }

  package let configuration: TargetQueuePairConfiguration
  package var parameters: ConnectionParameters { receiver.parameters }
  package private(set) var violation: PDUViolation?
  package private(set) var hostTermination: TerminationRequest?
  package private(set) var isTerminating = false

  private var receiver: PDUReceiver
  package private(set) var slots: UnsafeMutablePointer<TargetSlot>
  package private(set) var slotCapacity: Int
  private var freeSlots: UnsafeMutablePointer<UInt16>
  package private(set) var freeSlotCount: Int
  private var tagBits: UInt16 = 0
  /// Slots with something to send, a ring of `slotCapacity`: a slot is in it at most once.
  private var sendQueue: UnsafeMutablePointer<UInt16>
  private var sendHead = 0
  private var sendCount = 0
  /// One bit a command identifier: outstanding.
  private let identifiers: UnsafeMutablePointer<UInt64>
  /// Slots whose answer has become ready while a delay is on them; the owner takes them and sets its timer.
  package var newlyDelayed: [Int] = []

  // Receiving.
  /// The command whose capsule is being received; -1 for none.
  private var capsuleSlot = -1
  /// The slot whose data is being received; -1: what comes is thrown away.
  private var receivingSlot = -1
  private var destination: UnsafeMutableRawPointer?
  private var hostDataByteCount: UInt32 = 0

  // Submission queue.
  private var submissionQueueSize: UInt16 = 2
  private var submissionQueueHead: UInt16 = 0
  private var hasFlowControl = true

  // The batch being sent.
  private let vectors: UnsafeMutablePointer<IOVector>
  private var vectorHead = 0
  private var vectorCount = 0
  private let staging: UnsafeMutableRawPointer
  private var stagingCount = 0
  /// Copies of data that a digest has been made of; allocated when data digests are agreed upon.
  private var bulk: UnsafeMutableRawPointer?
  private var bulkCount = 0
  private var unsentByteCount = 0
  private var connectionResponse: ICResponse?
  private var needsTerminationRequest = false
  private var offendingHeader: [UInt8] = []
  /// Buffers that the batch points into. Their slots are free already: a host may use an identifier again as soon as
  /// it has the response, which can be before the kernel tells us that the batch has gone.
  private let heldBuffers: UnsafeMutablePointer<HeldBuffer>
  private var heldBufferCount = 0

  private struct HeldBuffer {
    var buffer: UnsafeMutableRawPointer
    var sizeClass: Int8
  }

  /// Buffers to use again, by size class: 4 KiB × 2^class.
  private var pool: [[UnsafeMutableRawPointer]]
  private var pooledByteCount = 0

  static let vectorCapacity = 1024
  static let stagingCapacity = 64 * 1024
  static let bulkCapacity = 512 * 1024
  static let maximumDigestedPDUByteCount: UInt32 = 128 * 1024
  /// Once so many bytes are gathered, the rest waits for the next batch.
  static let batchByteCount = 2 * 1024 * 1024
  static let maximumPooledByteCount = 8 * 1024 * 1024
  static let largestBufferClass = 12

  package init(configuration: TargetQueuePairConfiguration) {
    self.configuration = configuration
    receiver = PDUReceiver(role: .controller, parameters: ConnectionParameters())
    slotCapacity = 2
    slots = .allocate(capacity: 2)
    slots.initialize(repeating: TargetSlot(), count: 2)
    freeSlots = .allocate(capacity: 2)
    freeSlots[0] = 1
    freeSlots[1] = 0
    freeSlotCount = 2
    tagBits = 1
    sendQueue = .allocate(capacity: 2)
    identifiers = .allocate(capacity: 1024)
    identifiers.initialize(repeating: 0, count: 1024)
    vectors = .allocate(capacity: Self.vectorCapacity)
    vectors.initialize(repeating: IOVector(base: nil, count: 0), count: Self.vectorCapacity)
    staging = .allocate(byteCount: Self.stagingCapacity, alignment: 64)
    heldBuffers = .allocate(capacity: Self.vectorCapacity)
    pool = Array(repeating: [], count: Self.largestBufferClass + 1)
  }

  deinit {
    for index in 0..<slotCapacity { slots[index].buffer?.deallocate() }
    for list in pool { for buffer in list { buffer.deallocate() } }
    slots.deallocate()
    freeSlots.deallocate()
    sendQueue.deallocate()
    identifiers.deallocate()
    vectors.deallocate()
    staging.deallocate()
    bulk?.deallocate()
    for position in 0..<heldBufferCount { heldBuffers[position].buffer.deallocate() }
    heldBuffers.deallocate()
  }

  /// Sizes the queue when Connect tells it, while that command is the only one.
  ///
  /// - Parameters:
  ///   - entries: SQSIZE + 1, 2...65535.
  ///   - flowControl: false when the host has disabled submission queue flow control.
  ///   - maximumInCapsuleDataLength: bytes of in-capsule data the controller takes.
  package mutating func setQueue(entries: Int, flowControl: Bool, maximumInCapsuleDataLength: UInt32) {
    submissionQueueSize = UInt16(clamping: entries)
    submissionQueueHead = 0
    hasFlowControl = flowControl
    receiver.parameters.maximumInCapsuleDataLength = maximumInCapsuleDataLength
    let capacity = max(entries, slotCapacity)
    guard capacity > slotCapacity else { return }
    let newSlots = UnsafeMutablePointer<TargetSlot>.allocate(capacity: capacity)
    newSlots.initialize(repeating: TargetSlot(), count: capacity)
    newSlots.update(from: slots, count: slotCapacity)
    slots.deallocate()
    slots = newSlots
    let newFree = UnsafeMutablePointer<UInt16>.allocate(capacity: capacity)
    // The new ones below the old ones in the stack.
    let added = capacity - slotCapacity
    for position in 0..<added { newFree[position] = UInt16(capacity - 1 - position) }
    (newFree + added).update(from: freeSlots, count: freeSlotCount)
    freeSlots.deallocate()
    freeSlots = newFree
    freeSlotCount += added
    let newQueue = UnsafeMutablePointer<UInt16>.allocate(capacity: capacity)
    for position in 0..<sendCount { newQueue[position] = sendQueue[(sendHead + position) % slotCapacity] }
    sendQueue.deallocate()
    sendQueue = newQueue
    sendHead = 0
    slotCapacity = capacity
    tagBits = UInt16(Int.bitWidth - (capacity - 1).leadingZeroBitCount)
  }

  /// Commands that have come and are not answered.
  package var outstandingCount: Int { slotCapacity - freeSlotCount }

  // MARK: Receiving

  /// The next thing the input brings. Bytes used are taken off the front of `input`.
  package mutating func next(_ input: inout UnsafeRawBufferPointer) -> Event {
    while !isTerminating {
      switch receiver.next(&input) {
      case .needsMore:
        return .needsMore
      case .header:
        if let event = takeHeader() { return event }
      case .payload:
        takePayload()
      case .end:
        if let event = endPDU() { return event }
      case .violation:
        if let violation = receiver.violation {
          fail(violation, header: receiver.common)
        }
        return .violation
      }
    }
    input = UnsafeRawBufferPointer(start: nil, count: 0)
    return .needsMore
  }

  private mutating func takeHeader() -> Event? {
    capsuleSlot = -1
    receivingSlot = -1
    destination = nil
    let header = receiver.header
    switch receiver.common.pduType {
    case .initializeConnectionRequest:
      initialize(ICRequest(loading: header))
      return .initialized
    case .hostToControllerTerminationRequest:
      hostTermination = TerminationRequest(loading: header)
      isTerminating = true
      return .hostTerminated
    case .capsuleCommand:
      return beginCommand(
        SubmissionQueueEntry(loading: header + CapsuleCommandHeader.submissionQueueEntryOffset))
    case .hostToControllerData:
      return beginHostData(H2CDataHeader(loading: header))
    default:
      // Validation lets no other type through to a controller.
      return nil
    }
  }

  private mutating func initialize(_ request: ICRequest) {
    var digests = request.digests
    if !configuration.allowsHeaderDigest { digests.remove(.header) }
    if !configuration.allowsDataDigest { digests.remove(.data) }
    let response = ICResponse(
      digests: digests,
      controllerPDUDataAlignment: UInt8(clamping: configuration.controllerPDUDataAlignmentBytes / 4 - 1),
      maximumH2CDataLength: configuration.maximumH2CDataLength)
    connectionResponse = response
    receiver.parameters = ConnectionParameters(request: request, response: response)
    if receiver.parameters.dataDigest {
      bulk = .allocate(byteCount: Self.bulkCapacity, alignment: 64)
    }
  }

  private mutating func beginCommand(_ command: SubmissionQueueEntry) -> Event? {
    guard freeSlotCount > 0 else {
      // More commands than the submission queue has entries (NVMe Base 2.1, section 3.3.2).
      return fail(
        PDUViolation(
          .pduSequenceError, type: receiver.common.type, field: .queueEntry, rule: .atMost,
          expected: UInt64(slotCapacity), received: UInt64(slotCapacity) + 1))
    }
    freeSlotCount -= 1
    let index = Int(freeSlots[freeSlotCount])
    let slot = slots + index
    slot.pointee.command = command
    slot.pointee.phase = .owned
    slot.pointee.inCapsuleByteCount = UInt32(receiver.payloadByteCount)
    slot.pointee.hasDigestError = false
    slot.pointee.delayNanoseconds = 0
    slot.pointee.corruptsHeaderDigest = false
    slot.pointee.corruptsDataDigest = false
    capsuleSlot = index
    let identifier = command.commandIdentifier
    let bit = UInt64(1) << UInt64(identifier & 63)
    if identifiers[Int(identifier >> 6)] & bit != 0 {
      slot.pointee.isConflict = true
      respond(index, status: .commandIDConflict)
      return nil
    }
    slot.pointee.isConflict = false
    // By a pointer, here and below: the compiler's thread sanitizer fails on the subscript (Swift 6.3.1).
    (identifiers + Int(identifier >> 6)).pointee |= bit
    return .command(index)
  }

  private mutating func beginHostData(_ header: H2CDataHeader) -> Event? {
    let type = header.common.type
    let index = Int(header.transferTag & ((1 << tagBits) &- 1))
    guard index < slotCapacity, slots[index].phase == .receiving, slots[index].pending == .nothing,
      tag(of: index) == header.transferTag
    else {
      return fail(
        PDUViolation(
          .invalidPDUHeaderField, type: type, field: .transferTag, rule: .outstanding, expected: 0,
          received: UInt64(header.transferTag)))
    }
    let slot = slots + index
    guard slot.pointee.command.commandIdentifier == header.commandIdentifier else {
      return fail(
        PDUViolation(
          .invalidPDUHeaderField, type: type, field: .commandIdentifier, rule: .equal,
          expected: UInt64(slot.pointee.command.commandIdentifier), received: UInt64(header.commandIdentifier)))
    }
    // Validation has made sure that offset and length stay below 2^32.
    let end = header.dataOffset + header.dataLength
    guard end <= slot.pointee.requestedEnd else {
      return fail(
        PDUViolation(
          .dataTransferOutOfRange, type: type, field: .transferLength, rule: .withinRange,
          expected: UInt64(slot.pointee.requestedEnd), received: UInt64(end)))
    }
    guard header.dataOffset == slot.pointee.transferredByteCount else {
      return fail(
        PDUViolation(
          .pduSequenceError, type: type, field: .transferOffset, rule: .inOrder,
          expected: UInt64(slot.pointee.transferredByteCount), received: UInt64(header.dataOffset)))
    }
    guard header.common.flags.contains(.last) == (end == slot.pointee.requestedEnd) else {
      return fail(
        PDUViolation(
          .pduSequenceError, type: type, field: .flags, rule: .inOrder,
          expected: UInt64(header.common.flags.symmetricDifference(.last).rawValue),
          received: UInt64(header.common.flags.rawValue)))
    }
    receivingSlot = index
    destination = slot.pointee.memory.map { $0 + Int(header.dataOffset) }
    hostDataByteCount = header.dataLength
    return nil
  }

  private mutating func takePayload() {
    let piece = receiver.piece
    let count = receiver.pieceCount
    if parameters.dataDigest {
      if let destination, receivingSlot >= 0 {
        receiver.digest = nvmeof_crc32c_copy_extend(receiver.digest, destination, piece, count)
      } else {
        receiver.digest = nvmeof_crc32c_extend(receiver.digest, piece, count)
      }
    } else if let destination, receivingSlot >= 0 {
      destination.copyMemory(from: piece, byteCount: count)
    }
    destination = destination.map { $0 + count }
  }

  /// Where the payload now coming can be received to without a copy, and how many bytes of it; nil when it is to be
  /// thrown away or none is coming.
  package var directDestination: UnsafeMutableRawBufferPointer? {
    let count = receiver.remainingPayloadByteCount
    guard count > 0, receivingSlot >= 0, let destination else { return nil }
    return UnsafeMutableRawBufferPointer(start: destination, count: count)
  }

  /// Reports that so many bytes have been received at ``directDestination``.
  package mutating func didReceiveDirectly(byteCount: Int) {
    guard let start = destination else { return }
    if parameters.dataDigest { receiver.digest = nvmeof_crc32c_extend(receiver.digest, start, byteCount) }
    destination = start + byteCount
    receiver.skipPayload(count: byteCount)
  }

  private mutating func endPDU() -> Event? {
    let isCapsule = capsuleSlot >= 0
    let index = receivingSlot
    capsuleSlot = -1
    receivingSlot = -1
    destination = nil
    guard index >= 0 else { return nil }
    let slot = slots + index
    if receiver.hasDataDigestError { slot.pointee.hasDigestError = true }
    slot.pointee.transferredByteCount += isCapsule ? slot.pointee.dataByteCount : hostDataByteCount
    if !isCapsule {
      if slot.pointee.transferredByteCount < slot.pointee.requestedEnd { return nil }
      if !slot.pointee.hasDigestError, slot.pointee.transferredByteCount < slot.pointee.dataByteCount {
        requestData(index)
        return nil
      }
    }
    slot.pointee.phase = .owned
    if slot.pointee.hasDigestError {
      // NVMe/TCP 1.1, section 3.3.1: the command fails, the connection goes on.
      respond(index, status: .transientTransportError)
      return nil
    }
    return .dataComplete(index)
  }

  @discardableResult
  private mutating func fail(_ violation: PDUViolation) -> Event {
    let count = min(Int(receiver.common.headerLength), PDUType.maximumHeaderByteCount)
    offendingHeader = Array(UnsafeRawBufferPointer(start: receiver.header, count: count))
    return terminate(violation)
  }

  /// A violation found before the whole header was there: only the common header can be sent back.
  private mutating func fail(_ violation: PDUViolation, header: PDUCommonHeader) {
    offendingHeader = Array(repeating: 0, count: PDUCommonHeader.byteCount)
    offendingHeader.withUnsafeMutableBytes { header.store(to: $0.baseAddress!) }
    terminate(violation)
  }

  @discardableResult
  private mutating func terminate(_ violation: PDUViolation) -> Event {
    self.violation = violation
    isTerminating = true
    needsTerminationRequest = violation.isReportable
    return .violation
  }

  // MARK: Answers

  /// Where a command's data is to be had from or put to, by its SGL.
  ///
  /// - Parameter byteCount: bytes of data the command moves, at least 1.
  package func dataPlacement(_ index: Int, byteCount: Int, isWrite: Bool) -> DataPlacement {
    let command = slots[index].command
    guard command.dataTransferKind == 1 else { return .invalid(.invalidFieldInCommand.withDoNotRetry) }
    let sgl = command.sgl
    if sgl.kind == .dataBlock && sgl.subtype == .offset {
      guard isWrite else { return .invalid(.sglDescriptorTypeInvalid.withDoNotRetry) }
      // ICDOFF is 0 for TCP, so the data begins where the capsule's payload does.
      guard sgl.address == 0 else { return .invalid(.sglOffsetInvalid.withDoNotRetry) }
      guard Int(sgl.length) == byteCount, slots[index].inCapsuleByteCount == sgl.length else {
        return .invalid(.dataSGLLengthInvalid.withDoNotRetry)
      }
      return .inCapsule
    }
    guard sgl.kind == .transportDataBlock && sgl.subtype == .transportSpecificA else {
      return .invalid(.sglDescriptorTypeInvalid.withDoNotRetry)
    }
    guard isWrite ? Int(sgl.length) == byteCount : Int(sgl.length) >= byteCount else {
      return .invalid(.dataSGLLengthInvalid.withDoNotRetry)
    }
    return .transport
  }

  /// Takes the command's data: what follows in its capsule, or after R2Ts. ``Event/dataComplete(_:)`` tells when all is
  /// there; a data digest error fails the command without it.
  ///
  /// - Parameter memory: `byteCount` bytes that stay until then; nil throws the data away.
  package mutating func receiveData(
    _ index: Int, placement: DataPlacement, into memory: UnsafeMutableRawPointer?, byteCount: Int
  ) {
    let slot = slots + index
    slot.pointee.phase = .receiving
    slot.pointee.memory = memory
    slot.pointee.dataByteCount = UInt32(byteCount)
    slot.pointee.transferredByteCount = 0
    if placement == .inCapsule && index == capsuleSlot {
      receivingSlot = index
      destination = memory
    } else {
      requestData(index)
    }
  }

  private mutating func requestData(_ index: Int) {
    let slot = slots + index
    let rest = slot.pointee.dataByteCount - slot.pointee.transferredByteCount
    slot.pointee.requestedEnd =
      slot.pointee.transferredByteCount + min(rest, configuration.maximumReadyToTransferLength & ~3)
    enqueue(index, .readyToTransfer)
  }

  /// Sends `byteCount` bytes at `source`, then the response of success.
  ///
  /// - Parameters:
  ///   - source: stays valid and unchanged in place until the batch it is in has been sent; the slot's own buffer does.
  ///   - period: where not 0, `source` is only so many bytes long, and sent again and again.
  package mutating func sendData(_ index: Int, from source: UnsafeMutableRawPointer, byteCount: Int, period: Int = 0) {
    let slot = slots + index
    slot.pointee.memory = source
    slot.pointee.dataByteCount = UInt32(byteCount)
    slot.pointee.transferredByteCount = 0
    slot.pointee.sourcePeriod = UInt32(period)
    answer(index, .data, CompletionQueueEntry(commandIdentifier: slot.pointee.command.commandIdentifier))
  }

  /// Ends the command without data for the host. In-capsule data still to come is thrown away.
  package mutating func respond(_ index: Int, status: StatusField = .success, dword0: UInt32 = 0, dword1: UInt32 = 0) {
    answer(
      index, .response,
      CompletionQueueEntry(
        commandIdentifier: slots[index].command.commandIdentifier, status: status, dword0: dword0, dword1: dword1))
  }

  private mutating func answer(_ index: Int, _ pending: TargetSlot.Pending, _ completion: CompletionQueueEntry) {
    if receivingSlot == index {
      receivingSlot = -1
      destination = nil
    }
    slots[index].completion = completion
    if slots[index].delayNanoseconds > 0 {
      slots[index].phase = .delayed
      slots[index].pending = pending
      newlyDelayed.append(index)
    } else {
      slots[index].phase = .answering
      enqueue(index, pending)
    }
  }

  /// Lets an answer go that a delay has held back, unless the slot has been used otherwise since.
  package mutating func releaseDelayed(_ index: Int, generation: UInt16) {
    guard index < slotCapacity, slots[index].phase == .delayed, slots[index].generation == generation else { return }
    slots[index].phase = .answering
    enqueue(index, slots[index].pending)
  }

  /// The slot of a command that the owner has and that is neither moving data nor being answered.
  ///
  /// - Parameter exception: a slot that is not meant, such as that of the Abort command itself.
  package func heldSlot(commandIdentifier: UInt16, except exception: Int) -> Int? {
    for index in 0..<slotCapacity
    where slots[index].command.commandIdentifier == commandIdentifier && !slots[index].isConflict
      && index != exception
    {
      if slots[index].phase == .owned || slots[index].phase == .delayed { return index }
    }
    return nil
  }

  /// Memory of the slot's own, at least `byteCount` bytes (at most 16 MiB), given back when the command has ended.
  package mutating func buffer(_ index: Int, byteCount: Int) -> UnsafeMutableRawPointer {
    if let buffer = slots[index].buffer { return buffer }
    var sizeClass = 0
    while 4096 << sizeClass < byteCount && sizeClass < Self.largestBufferClass { sizeClass += 1 }
    precondition(4096 << sizeClass >= byteCount, "no command moves more than 16 MiB")
    let buffer: UnsafeMutableRawPointer
    if let pooled = pool[sizeClass].popLast() {
      pooledByteCount -= 4096 << sizeClass
      buffer = pooled
    } else {
      buffer = .allocate(byteCount: 4096 << sizeClass, alignment: 4096)
    }
    slots[index].bufferClass = Int8(sizeClass)
    slots[index].buffer = buffer
    return buffer
  }

  private mutating func enqueue(_ index: Int, _ pending: TargetSlot.Pending) {
    slots[index].pending = pending
    var position = sendHead + sendCount
    if position >= slotCapacity { position -= slotCapacity }
    sendQueue[position] = UInt16(index)
    sendCount += 1
  }

  private mutating func giveBack(_ buffer: UnsafeMutableRawPointer, _ sizeClass: Int8) {
    let bytes = 4096 << Int(sizeClass)
    if pooledByteCount + bytes <= Self.maximumPooledByteCount {
      pooledByteCount += bytes
      pool[Int(sizeClass)].append(buffer)
    } else {
      buffer.deallocate()
    }
  }

  private mutating func release(_ index: Int) {
    let slot = slots + index
    if let buffer = slot.pointee.buffer {
      giveBack(buffer, slot.pointee.bufferClass)
      slot.pointee.buffer = nil
    }
    if !slot.pointee.isConflict {
      let identifier = slot.pointee.command.commandIdentifier
      (identifiers + Int(identifier >> 6)).pointee &= ~(UInt64(1) << UInt64(identifier & 63))
    }
    slot.pointee.phase = .free
    slot.pointee.pending = .nothing
    slot.pointee.generation &+= 1
    freeSlots[freeSlotCount] = UInt16(index)
    freeSlotCount += 1
  }

  private func tag(of index: Int) -> UInt16 { UInt16(index) | slots[index].generation << tagBits }

  // MARK: Sending

  /// The vectors still to be sent of the present batch; valid until ``didSend(byteCount:)``.
  package var sendVectors: UnsafeMutableBufferPointer<IOVector> {
    UnsafeMutableBufferPointer(start: vectors + vectorHead, count: vectorCount - vectorHead)
  }

  /// True when ``buildSend()`` would find something.
  package var wantsToSend: Bool {
    unsentByteCount > 0 || connectionResponse != nil || needsTerminationRequest || (sendCount > 0 && !isTerminating)
  }

  /// Gathers the next batch, unless one is under way.
  ///
  /// - Returns: bytes to send; 0 when there is nothing.
  package mutating func buildSend() -> Int {
    if unsentByteCount > 0 { return unsentByteCount }
    vectorHead = 0
    vectorCount = 0
    stagingCount = 0
    bulkCount = 0
    if let response = connectionResponse {
      connectionResponse = nil
      response.store(to: stage(ICResponse.byteCount))
    }
    if isTerminating {
      // A batch is made of whole PDUs, so this is a boundary; what else was to be sent has lost its meaning.
      if needsTerminationRequest, let violation {
        needsTerminationRequest = false
        let request = TerminationRequest(
          sender: .controller, violation: violation, offendingHeaderByteCount: offendingHeader.count)
        let start = stage(Int(request.common.length))
        offendingHeader.withUnsafeBytes { _ = request.store(to: start, offendingHeader: $0.baseAddress!) }
      }
      return unsentByteCount
    }
    while sendCount > 0, unsentByteCount < Self.batchByteCount, hasRoom(vectors: 2, stagingByteCount: 512) {
      let index = Int(sendQueue[sendHead])
      switch slots[index].pending {
      case .readyToTransfer:
        stageReadyToTransfer(index)
      case .response:
        stageResponse(index)
        release(index)
      case .data:
        guard stageData(index) else { return unsentByteCount }
      case .nothing:
        break
      }
      sendHead += 1
      if sendHead == slotCapacity { sendHead = 0 }
      sendCount -= 1
    }
    return unsentByteCount
  }

  /// Reports that the socket has taken so many bytes.
  package mutating func didSend(byteCount: Int) {
    precondition(byteCount <= unsentByteCount)
    unsentByteCount -= byteCount
    if unsentByteCount == 0 {
      vectorHead = vectorCount
      for position in 0..<heldBufferCount { giveBack(heldBuffers[position].buffer, heldBuffers[position].sizeClass) }
      heldBufferCount = 0
      return
    }
    var left = byteCount
    while left > 0 {
      let count = vectors[vectorHead].count
      if left < count {
        vectors[vectorHead] = IOVector(base: vectors[vectorHead].base! + left, count: count - left)
        return
      }
      left -= count
      vectorHead += 1
    }
  }

  private func hasRoom(vectors: Int, stagingByteCount: Int) -> Bool {
    vectorCount + vectors <= Self.vectorCapacity && stagingCount + stagingByteCount <= Self.stagingCapacity
  }

  private mutating func stage(_ count: Int) -> UnsafeMutableRawPointer {
    let start = staging + stagingCount
    stagingCount += count
    append(start, count)
    return start
  }

  private mutating func append(_ base: UnsafeMutableRawPointer, _ count: Int) {
    unsentByteCount += count
    if vectorCount > 0, let last = vectors[vectorCount - 1].base, last + vectors[vectorCount - 1].count == base {
      (vectors + (vectorCount - 1)).pointee.count += count
      return
    }
    vectors[vectorCount] = IOVector(base: base, count: count)
    vectorCount += 1
  }

  private func storeHeaderDigest(_ start: UnsafeMutableRawPointer, byteCount: Int, corrupted: Bool) {
    guard parameters.headerDigest else { return }
    let digest = nvmeof_crc32c_extend(0, start, byteCount) ^ (corrupted ? 0x0101_0101 : 0)
    (start + byteCount).storeBytes(of: digest.littleEndian, as: UInt32.self)
  }

  private mutating func stageReadyToTransfer(_ index: Int) {
    let slot = slots + index
    slot.pointee.pending = .nothing
    let start = stage(ReadyToTransferHeader.byteCount + (parameters.headerDigest ? 4 : 0))
    let offset = slot.pointee.transferredByteCount
    ReadyToTransferHeader(
      commandIdentifier: slot.pointee.command.commandIdentifier, transferTag: tag(of: index), offset: offset,
      length: slot.pointee.requestedEnd - offset, parameters: parameters
    ).store(to: start)
    storeHeaderDigest(
      start, byteCount: ReadyToTransferHeader.byteCount, corrupted: slot.pointee.corruptsHeaderDigest)
  }

  private mutating func stageResponse(_ index: Int) {
    let slot = slots + index
    if hasFlowControl {
      submissionQueueHead += 1
      if submissionQueueHead >= submissionQueueSize { submissionQueueHead = 0 }
    } else {
      submissionQueueHead = 0xFFFF
    }
    slot.pointee.completion.submissionQueueHead = submissionQueueHead
    let start = stage(CapsuleResponseHeader.byteCount + (parameters.headerDigest ? 4 : 0))
    CapsuleResponseHeader(parameters: parameters).store(to: start)
    slot.pointee.completion.store(to: start + CapsuleResponseHeader.completionQueueEntryOffset)
    storeHeaderDigest(
      start, byteCount: CapsuleResponseHeader.byteCount, corrupted: slot.pointee.corruptsHeaderDigest)
  }

  /// Stages data PDUs of a slot, then its response. False when the batch has no more room and some is left.
  private mutating func stageData(_ index: Int) -> Bool {
    let slot = slots + index
    let total = slot.pointee.dataByteCount
    // A source that repeats itself never changes either, so that a digest of it holds without a copy.
    let copies = parameters.dataDigest && slot.pointee.sourcePeriod == 0
    while slot.pointee.transferredByteCount < total {
      let offset = slot.pointee.transferredByteCount
      var count = min(total - offset, configuration.maximumC2HDataLength & ~3)
      if copies {
        count = min(count, Self.maximumDigestedPDUByteCount)
        guard bulkCount + Int(count) <= Self.bulkCapacity else { return false }
      }
      let period = slot.pointee.sourcePeriod
      let pieces = period == 0 ? 1 : Int(count / period) + 2
      guard unsentByteCount < Self.batchByteCount, hasRoom(vectors: pieces + 3, stagingByteCount: 512) else {
        return false
      }
      let isLast = offset + count == total
      let isSuccess = isLast && configuration.usesSuccessFlag && !hasFlowControl
      let layout = PDULayout(type: .controllerToHostData, dataLength: Int(count), parameters: parameters)
      let start = stage(layout.dataOffset)
      C2HDataHeader(
        commandIdentifier: slot.pointee.command.commandIdentifier, dataOffset: offset, dataLength: count,
        isLast: isLast, isSuccess: isSuccess, parameters: parameters
      ).store(to: start)
      storeHeaderDigest(start, byteCount: C2HDataHeader.byteCount, corrupted: slot.pointee.corruptsHeaderDigest)
      if layout.paddingByteCount > 0 {
        (start + layout.dataOffset - layout.paddingByteCount).initializeMemory(
          as: UInt8.self, repeating: 0, count: layout.paddingByteCount)
      }
      var digest: UInt32 = 0
      let source = slot.pointee.memory!
      if copies {
        let copy = bulk! + bulkCount
        bulkCount += Int(count)
        digest = nvmeof_crc32c_copy_extend(0, copy, source + Int(offset), Int(count))
        append(copy, Int(count))
      } else if period == 0 {
        append(source + Int(offset), Int(count))
      } else {
        var left = count
        while left > 0 {
          let piece = min(left, period)
          if parameters.dataDigest { digest = nvmeof_crc32c_extend(digest, source, Int(piece)) }
          append(source, Int(piece))
          left -= piece
        }
      }
      if parameters.dataDigest {
        if slot.pointee.corruptsDataDigest { digest ^= 0x0101_0101 }
        stage(4).storeBytes(of: digest.littleEndian, as: UInt32.self)
      }
      slot.pointee.transferredByteCount = offset + count
      if isSuccess {
        finishData(index, isCopied: copies)
        return true
      }
    }
    guard hasRoom(vectors: 2, stagingByteCount: 64) else { return false }
    stageResponse(index)
    finishData(index, isCopied: copies)
    return true
  }

  private mutating func finishData(_ index: Int, isCopied: Bool) {
    // Without a copy the batch points into the slot's buffer, if it has one. There is room: each such answer has taken
    // two vectors at least.
    if let buffer = slots[index].buffer, !isCopied {
      heldBuffers[heldBufferCount] = HeldBuffer(buffer: buffer, sizeClass: slots[index].bufferClass)
      heldBufferCount += 1
      slots[index].buffer = nil
    }
    release(index)
  }
}

extension StatusField {
  /// The same status with Do Not Retry set.
  package var withDoNotRetry: StatusField {
    var status = self
    status.doNotRetry = true
    return status
  }
}
