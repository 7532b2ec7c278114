internal import CCRC32C
public import NVMeProtocol

/// The host's side of one NVMe/TCP queue pair, sans-I/O: commands and received bytes in; bytes to send and completions
/// out. It knows neither sockets nor clocks, so the same code runs on a ring, in simulation and under the fuzzer.
///
/// Everything it needs is allocated when it is made; submitting, sending and completing allocate nothing.
///
/// Sending: ``buildSend()`` gathers what is to be sent into ``sendVectors``; the owner reports progress by
/// ``didSend(byteCount:)`` and asks again when all has gone. At most one such batch exists at a time.
///
/// Receiving: ``receive(_:)`` takes any chunk. Where a large payload is coming,
/// ``directReceiveVectors(into:capacity:)`` names the caller's own memory, to be received into without a copy.
///
/// Completions are left in a queue of the engine's own and taken by ``popCompletion()``.
public struct HostQueuePair: ~Copyable {
  public private(set) var state = HostQueuePairState.initializing
  /// What both sides agreed upon; meaningful once ``state`` is ready.
  public var parameters: ConnectionParameters { receiver.parameters }
  /// The broken rule, when ``state`` is terminating.
  public private(set) var violation: PDUViolation?
  /// What the controller complained of, when it asked for the end.
  public private(set) var controllerTermination: TerminationRequest?
  public let configuration: HostQueuePairConfiguration

  private var receiver: PDUReceiver
  // What the headers that are sent look like; right once the connection is initialized.
  private var capsule: HeaderTemplate
  private var capsuleWithData: HeaderTemplate
  private var dataHeader: HeaderTemplate
  private let slots: UnsafeMutablePointer<HostQueuePairSlot>
  private let indexBits: UInt16
  private let indexMask: UInt16
  /// Last in, first out: the slot used last is the one still in the cache.
  private let freeSlots: UnsafeMutablePointer<UInt16>
  private var unusedSlotCount: Int
  private var sendQueue: IndexQueue
  private let completions: UnsafeMutablePointer<CommandCompletion>
  private let completionMask: Int
  private var completionHead = 0
  private var completionTail = 0
  /// The slot whose data PDU is being received.
  private var receivingSlot = 0

  // The batch being sent. Its room is for what a queue of this depth usually has to send at once: a process may have
  // hundreds of queue pairs.
  private let vectorCapacity: Int
  private let stagingCapacity: Int
  private let vectors: UnsafeMutablePointer<IOVector>
  private var vectorHead = 0
  private var vectorCount = 0
  private let staging: UnsafeMutableRawPointer
  private var stagingCount = 0
  private let touched: UnsafeMutablePointer<UInt16>
  private var touchedCount = 0
  private var unsentByteCount = 0

  // Where in a PDU the gathering stands; a PDU may reach over several batches.
  private var emittingSlot = -1
  private var emittingOffset = 0
  private var emittingByteCount = 0
  private var emittingDigest: UInt32 = 0
  private var emitsDigest = false
  private var needsConnectionRequest = true
  private var needsTerminationRequest = false
  private var offendingHeader: [UInt8] = []
  /// A slot whose generation is another one by now, and not the one before, has had a command since ``takeTraffic()``;
  /// empty before the first time.
  private var trafficGenerations: [UInt16] = []

  /// So many bytes are gathered into one batch, and what the last header, its digest and padding need beyond them. Data
  /// digests of a batch are computed before its first byte goes: a batch without bound leaves the controller without data
  /// meanwhile, and has left the processor's cache when the socket copies it.
  public static let batchByteLimit = 512 * 1024
  /// Most staging one PDU needs: a 72-byte header, digests and the padding that PDA asks for.
  static let stagingReserve = 256

  public init(configuration: HostQueuePairConfiguration) {
    precondition((1...4095).contains(configuration.depth), "a queue pair's depth is 1...4095")
    self.configuration = configuration
    let depth = configuration.depth
    receiver = PDUReceiver(role: .host, parameters: ConnectionParameters(requested: configuration.connectionRequest))
    slots = .allocate(capacity: depth)
    slots.initialize(repeating: HostQueuePairSlot(), count: depth)
    indexBits = UInt16(Int.bitWidth - (depth - 1).leadingZeroBitCount)
    indexMask = (1 << indexBits) &- 1
    capsule = HeaderTemplate(.capsuleCommand, hasData: false, parameters: receiver.parameters)
    capsuleWithData = HeaderTemplate(.capsuleCommand, hasData: true, parameters: receiver.parameters)
    dataHeader = HeaderTemplate(.hostToControllerData, hasData: true, parameters: receiver.parameters)
    freeSlots = .allocate(capacity: depth)
    for index in 0..<depth { freeSlots[index] = UInt16(depth - 1 - index) }
    unusedSlotCount = depth
    // A slot is in the send queue at most once at a time.
    sendQueue = IndexQueue(capacity: depth)
    var size = 1
    while size < depth { size *= 2 }
    completions = .allocate(capacity: size)
    completionMask = size - 1
    vectorCapacity = min(max(4 * depth, 64), 512)
    stagingCapacity = min(max(depth, 8) * Self.stagingReserve, 32 * 1024)
    vectors = .allocate(capacity: vectorCapacity)
    vectors.initialize(repeating: IOVector(base: nil, count: 0), count: vectorCapacity)
    staging = .allocate(byteCount: stagingCapacity, alignment: 64)
    touched = .allocate(capacity: vectorCapacity)
  }

  deinit {
    slots.deallocate()
    freeSlots.deallocate()
    completions.deallocate()
    vectors.deallocate()
    staging.deallocate()
    touched.deallocate()
  }

  /// Commands submitted and not completed.
  public var outstandingCount: Int { configuration.depth - unusedSlotCount }

  /// Commands that can be submitted now. A completion that has not been taken yet counts as a command, because the
  /// queue of completions has room for `depth` of them.
  public var freeSlotCount: Int { unusedSlotCount &- (completionTail &- completionHead) }

  // MARK: Submission

  /// Takes a command. Its command identifier and SGL are filled in here.
  ///
  /// - Parameters:
  ///   - data: the command's memory; it stays the caller's, and must stay valid until the completion.
  ///   - context, token: returned with the completion.
  ///   - deadlineNanoseconds: for ``expiredCommand(nowNanoseconds:)``; `.max` for none.
  /// - Returns: false when no command identifier is free, or the queue pair is not ready.
  public mutating func submit(
    _ command: SubmissionQueueEntry, data: DataSegments, direction: DataDirection,
    context: UnsafeMutableRawPointer?, token: UInt64, deadlineNanoseconds: UInt64
  ) -> Bool {
    guard state == .ready, freeSlotCount > 0 else { return false }
    unusedSlotCount -= 1
    let index = freeSlots[unusedSlotCount]
    let slot = slots + Int(index)
    slot.pointee.command = command
    var identifier = index | (slot.pointee.generation &<< indexBits)
    if identifier == .max {
      // FFFFh is no command's identifier: the error log says "no particular command" by it.
      slot.pointee.generation &+= 1
      identifier = index | (slot.pointee.generation &<< indexBits)
    }
    slot.pointee.command.commandIdentifier = identifier
    slot.pointee.data = data
    slot.pointee.contiguous = Self.contiguousMemory(of: data)
    slot.pointee.context = context
    slot.pointee.token = token
    slot.pointee.deadlineNanoseconds = deadlineNanoseconds
    slot.pointee.transferredByteCount = 0
    slot.pointee.requestedByteCount = 0
    slot.pointee.sendsUnderWay = 0
    slot.pointee.direction = direction
    slot.pointee.outcome = .answered
    slot.pointee.status = StatusField(rawValue: 0)
    let fitsCapsule =
      direction == .hostToController && Int(data.byteCount) <= configuration.maximumInCapsuleByteCount
    slot.pointee.usesInCapsuleData = fitsCapsule
    // NVMe/TCP 1.1, section 3.3: an offset SGL for data in the capsule, else the transport's own data block.
    if data.byteCount == 0 {
      slot.pointee.command.sgl = .transport(length: 0)
    } else if fitsCapsule {
      slot.pointee.command.sgl = .inCapsule(offset: 0, length: data.byteCount)
    } else {
      slot.pointee.command.sgl = .transport(length: data.byteCount)
    }
    slot.pointee.phase = .queued
    enqueue(Int(index))
    return true
  }

  private static func contiguousMemory(of data: DataSegments) -> UnsafeMutableRawPointer? {
    guard let first = data.vectors, let base = first.pointee.base,
      Int(data.byteOffset) + Int(data.byteCount) <= first.pointee.count
    else { return nil }
    return base + Int(data.byteOffset)
  }

  // MARK: Sending

  /// The vectors still to be sent of the present batch; valid until ``didSend(byteCount:)``.
  public var sendVectors: UnsafeMutableBufferPointer<IOVector> {
    UnsafeMutableBufferPointer(start: vectors + vectorHead, count: vectorCount - vectorHead)
  }

  /// True when ``buildSend()`` would find something.
  public var wantsToSend: Bool {
    unsentByteCount > 0 || needsConnectionRequest || needsTerminationRequest || emittingSlot >= 0
      || (state == .ready && !sendQueue.isEmpty)
  }

  /// Gathers the next batch, unless one is under way.
  ///
  /// - Returns: bytes to send; 0 when there is nothing.
  public mutating func buildSend() -> Int {
    if unsentByteCount > 0 { return unsentByteCount }
    vectorHead = 0
    vectorCount = 0
    stagingCount = 0
    touchedCount = 0
    if needsConnectionRequest {
      needsConnectionRequest = false
      configuration.connectionRequest.store(to: stage(ICRequest.byteCount))
    }
    while emittingSlot >= 0 || state == .ready {
      if emittingSlot >= 0 {
        guard emitData() else { break }
      } else {
        guard vectorCount + 4 <= vectorCapacity, stagingCount + Self.stagingReserve <= stagingCapacity,
          batchRoom > 0, let index = sendQueue.popFirst()
        else { break }
        beginPDU(slotIndex: Int(index))
      }
    }
    // Only between PDUs: the controller must be able to find its beginning.
    if needsTerminationRequest && emittingSlot < 0 {
      needsTerminationRequest = false
      if let violation {
        let request = TerminationRequest(
          sender: .host, violation: violation, offendingHeaderByteCount: offendingHeader.count)
        let start = stage(Int(request.common.length))
        offendingHeader.withUnsafeBytes { _ = request.store(to: start, offendingHeader: $0.baseAddress!) }
      }
    }
    return unsentByteCount
  }

  /// Reports that the socket has taken so many bytes.
  public mutating func didSend(byteCount: Int) {
    precondition(byteCount <= unsentByteCount)
    unsentByteCount -= byteCount
    if unsentByteCount == 0 {
      vectorHead = vectorCount
      releaseTouched()
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

  private mutating func releaseTouched() {
    for position in 0..<touchedCount {
      let index = Int(touched[position])
      // By a pointer: the compiler's thread sanitizer fails on the subscript (Swift 6.3.1).
      (slots + index).pointee.sendsUnderWay -= 1
      if slots[index].phase == .answered && isReleased(index) { complete(index) }
    }
    touchedCount = 0
  }

  /// True when neither the socket nor the gathering has any of the command's memory, nor the send queue its slot.
  private func isReleased(_ index: Int) -> Bool {
    slots[index].sendsUnderWay == 0 && emittingSlot != index && !slots[index].isInSendQueue
  }

  private mutating func enqueue(_ index: Int) {
    slots[index].isInSendQueue = true
    sendQueue.append(UInt16(index))
  }

  /// Bytes of data the batch may still take. Headers may go a little beyond.
  private var batchRoom: Int { Self.batchByteLimit - unsentByteCount }

  /// So many bytes of staging, appended to the batch.
  private mutating func stage(_ count: Int) -> UnsafeMutableRawPointer {
    let start = staging + stagingCount
    stagingCount += count
    append(start, count)
    return start
  }

  private mutating func append(_ base: UnsafeMutableRawPointer, _ count: Int) {
    unsentByteCount += count
    if vectorCount > 0, let last = vectors[vectorCount - 1].base, last + vectors[vectorCount - 1].count == base {
      // Headers one after the other in staging, or neighbouring caller memory: one vector.
      vectors[vectorCount - 1] = IOVector(base: last, count: vectors[vectorCount - 1].count + count)
      return
    }
    vectors[vectorCount] = IOVector(base: base, count: count)
    vectorCount += 1
  }

  private mutating func beginPDU(slotIndex: Int) {
    let slot = slots + slotIndex
    slot.pointee.isInSendQueue = false
    if slot.pointee.phase == .queued {
      slot.pointee.phase = .outstanding
      let dataCount = slot.pointee.usesInCapsuleData ? Int(slot.pointee.data.byteCount) : 0
      let template = dataCount > 0 ? capsuleWithData : capsule
      let start = stage(template)
      template.header(dataByteCount: dataCount).store(to: start)
      slot.pointee.command.store(to: start + CapsuleCommandHeader.submissionQueueEntryOffset)
      stageHeaderDigest(start, headerByteCount: CapsuleCommandHeader.byteCount)
      beginData(slotIndex: slotIndex, offset: 0, byteCount: dataCount)
      return
    }
    // Answered before all requested data had gone: the controller has no use for the rest of it.
    guard slot.pointee.phase == .outstanding, slot.pointee.requestedByteCount > 0 else {
      if slot.pointee.phase == .answered && isReleased(slotIndex) { complete(slotIndex) }
      return
    }
    let count = min(slot.pointee.requestedByteCount, parameters.maximumH2CDataLength)
    let isLast = count == slot.pointee.requestedByteCount
    let offset = slot.pointee.requestedOffset
    let start = stage(dataHeader)
    H2CDataHeader(
      common: dataHeader.header(dataByteCount: Int(count), isLast: isLast),
      commandIdentifier: slot.pointee.command.commandIdentifier, transferTag: slot.pointee.transferTag,
      dataOffset: offset, dataLength: count
    ).store(to: start)
    stageHeaderDigest(start, headerByteCount: H2CDataHeader.byteCount)
    slot.pointee.requestedOffset += count
    slot.pointee.requestedByteCount -= count
    if !isLast { enqueue(slotIndex) }
    beginData(slotIndex: slotIndex, offset: Int(offset), byteCount: Int(count))
  }

  /// Stages room for a header, its digest and padding; the padding is written.
  private mutating func stage(_ template: HeaderTemplate) -> UnsafeMutableRawPointer {
    let start = stage(template.dataOffset)
    if template.paddingByteCount > 0 {
      (start + template.dataOffset - template.paddingByteCount)
        .initializeMemory(as: UInt8.self, repeating: 0, count: template.paddingByteCount)
    }
    return start
  }

  private mutating func stageHeaderDigest(_ start: UnsafeMutableRawPointer, headerByteCount: Int) {
    guard parameters.headerDigest else { return }
    let digest = nvmeof_crc32c_extend(0, start, headerByteCount)
    (start + headerByteCount).storeBytes(of: digest.littleEndian, as: UInt32.self)
  }

  private mutating func beginData(slotIndex: Int, offset: Int, byteCount: Int) {
    guard byteCount > 0 else { return }
    emittingSlot = slotIndex
    emittingOffset = offset
    emittingByteCount = byteCount
    emittingDigest = 0
    emitsDigest = parameters.dataDigest
  }

  /// Appends the present PDU's data to the batch. Returns false when the batch is full.
  private mutating func emitData() -> Bool {
    let index = emittingSlot
    guard vectorCount + 2 <= vectorCapacity, stagingCount + 4 <= stagingCapacity, batchRoom > 0 else {
      return false
    }
    if emittingByteCount > 0 {
      if touchedCount == 0 || touched[touchedCount - 1] != UInt16(index) {
        touched[touchedCount] = UInt16(index)
        touchedCount += 1
        (slots + index).pointee.sendsUnderWay += 1
      }
      if let base = slots[index].contiguous {
        emitPiece(base + emittingOffset, min(emittingByteCount, batchRoom))
      } else {
        emitScattered(slots[index].data)
      }
      if emittingByteCount > 0 { return false }
    }
    if emitsDigest {
      guard vectorCount < vectorCapacity else { return false }
      stage(4).storeBytes(of: emittingDigest.littleEndian, as: UInt32.self)
    }
    emittingSlot = -1
    if slots[index].phase == .answered && isReleased(index) { complete(index) }
    return true
  }

  private mutating func emitPiece(_ base: UnsafeMutableRawPointer, _ count: Int) {
    if emitsDigest { emittingDigest = nvmeof_crc32c_extend(emittingDigest, base, count) }
    append(base, count)
    emittingOffset += count
    emittingByteCount -= count
  }

  private mutating func emitScattered(_ data: DataSegments) {
    guard var vector = data.vectors else { return }
    let end = vector + Int(data.vectorCount)
    var skip = Int(data.byteOffset) + emittingOffset
    while vector < end, emittingByteCount > 0, batchRoom > 0, vectorCount + 1 < vectorCapacity {
      if skip >= vector.pointee.count {
        skip -= vector.pointee.count
      } else {
        emitPiece(vector.pointee.base! + skip, min(emittingByteCount, vector.pointee.count - skip, batchRoom))
        skip = 0
      }
      vector += 1
    }
  }

  // MARK: Receiving

  /// Takes bytes from the connection, all of them.
  ///
  /// - Returns: false when the queue pair is not to be fed any further: see ``state``.
  public mutating func receive(_ bytes: UnsafeRawBufferPointer) -> Bool {
    var input = bytes
    while state == .ready || state == .initializing {
      switch receiver.next(&input) {
      case .needsMore:
        return true
      case .header:
        handleHeader()
        if receiver.endsHere() { handleEnd() }
      case .payload:
        take(receiver.piece, receiver.pieceCount)
        if receiver.endsHere() { handleEnd() }
      case .end:
        handleEnd()
      case .violation:
        fail(receiver.violation!)
      }
    }
    return false
  }

  /// How much data the latest C2HData PDU carries, in bytes: a hint at what the next one will.
  public private(set) var latestDataByteCount = 0

  /// Payload bytes of the PDU being received that are still to come.
  public var remainingPayloadByteCount: Int { receiver.remainingPayloadByteCount }

  /// Where the rest of the payload that is being received belongs, so that it can be received there directly.
  ///
  /// - Parameters:
  ///   - minimumByteCount: less than this is not worth the trouble, and gives 0.
  ///   - vectors: filled with at most `capacity` vectors.
  /// - Returns: how many vectors were filled, and how many bytes they cover.
  public func directReceiveVectors(
    into vectors: UnsafeMutablePointer<IOVector>, capacity: Int, minimumByteCount: Int
  ) -> (vectorCount: Int, byteCount: Int) {
    let remaining = receiver.remainingPayloadByteCount
    guard state == .ready, remaining >= minimumByteCount, remaining > 0, capacity > 0 else { return (0, 0) }
    let slot = slots + receivingSlot
    let offset = Int(slot.pointee.transferredByteCount)
    if let base = slot.pointee.contiguous {
      vectors[0] = IOVector(base: base + offset, count: remaining)
      return (1, remaining)
    }
    var count = 0
    var covered = 0
    slot.pointee.data.forEachPiece(offset: offset, count: remaining) { base, length in
      guard count < capacity else { return }
      vectors[count] = IOVector(base: base, count: length)
      count += 1
      covered += length
    }
    return (count, covered)
  }

  /// Reports that so many bytes were received into what ``directReceiveVectors(into:capacity:minimumByteCount:)``
  /// named.
  public mutating func didReceiveDirectly(byteCount: Int) {
    let slot = slots + receivingSlot
    let offset = Int(slot.pointee.transferredByteCount)
    if receiver.common.flags.contains(.dataDigest) {
      var digest = receiver.digest
      slot.pointee.data.forEachPiece(offset: offset, count: byteCount) { base, length in
        digest = nvmeof_crc32c_extend(digest, base, length)
      }
      receiver.digest = digest
    }
    slot.pointee.transferredByteCount += UInt32(byteCount)
    receiver.skipPayload(count: byteCount)
  }

  private mutating func handleHeader() {
    let header = receiver.header
    switch PDUType(rawValue: receiver.common.type) {
    case .controllerToHostData:
      beginControllerData(C2HDataHeader(loading: header))
    case .capsuleResponse:
      handleResponse(CompletionQueueEntry(loading: header + PDUCommonHeader.byteCount))
    case .readyToTransfer:
      handleReadyToTransfer(ReadyToTransferHeader(loading: header))
    case .initializeConnectionResponse:
      handleConnectionResponse(ICResponse(loading: header))
    case .controllerToHostTerminationRequest:
      controllerTermination = TerminationRequest(loading: header)
      state = .terminatedByController
    default:
      // Validation lets no other type through.
      refuse(.invalidPDUHeaderField, .type, .direction, expected: 0 as UInt8, received: receiver.common.type)
    }
  }

  private mutating func handleConnectionResponse(_ response: ICResponse) {
    // A digest that was not asked for, or one that was asked for and is refused, would leave the two sides with
    // different ideas of the stream, or the user without the protection that was ordered.
    let request = configuration.connectionRequest
    if response.digests != request.digests {
      refuse(
        .invalidPDUHeaderField, .digests, .equal, expected: request.digests.rawValue,
        received: response.digests.rawValue)
      return
    }
    receiver.parameters = ConnectionParameters(request: request, response: response)
    capsule = HeaderTemplate(.capsuleCommand, hasData: false, parameters: parameters)
    capsuleWithData = HeaderTemplate(.capsuleCommand, hasData: true, parameters: parameters)
    dataHeader = HeaderTemplate(.hostToControllerData, hasData: true, parameters: parameters)
    state = .ready
  }

  /// The slot that a command identifier names, or nil when it names no command that waits for an answer.
  ///
  /// Mutating, though it changes nothing: the compiler would lend a copy of the whole struct to a method that is not.
  @inline(__always)
  private mutating func outstandingSlot(_ identifier: UInt16) -> Int? {
    let index = Int(identifier & indexMask)
    guard index < configuration.depth, slots[index].phase == .outstanding,
      slots[index].command.commandIdentifier == identifier
    else { return nil }
    return index
  }

  private mutating func beginControllerData(_ header: C2HDataHeader) {
    guard let index = outstandingSlot(header.commandIdentifier) else {
      refuse(
        .invalidPDUHeaderField, .commandIdentifier, .outstanding, expected: 0 as UInt16,
        received: header.commandIdentifier)
      return
    }
    let slot = slots + index
    guard slot.pointee.direction == .controllerToHost else {
      refuse(
        .invalidPDUHeaderField, .commandIdentifier, .outstanding, expected: 0 as UInt16,
        received: header.commandIdentifier)
      return
    }
    // In order, without gaps: NVMe/TCP 1.1, section 3.3.
    guard header.dataOffset == slot.pointee.transferredByteCount else {
      refuse(
        .dataTransferOutOfRange, .transferOffset, .inOrder, expected: slot.pointee.transferredByteCount,
        received: header.dataOffset)
      return
    }
    let left = slot.pointee.data.byteCount - slot.pointee.transferredByteCount
    guard header.dataLength <= left else {
      refuse(
        .dataTransferOutOfRange, .transferLength, .atMost, expected: left, received: header.dataLength)
      return
    }
    receivingSlot = index
    latestDataByteCount = Int(header.dataLength)
  }

  private mutating func take(_ piece: UnsafeRawPointer, _ count: Int) {
    let slot = slots + receivingSlot
    let offset = Int(slot.pointee.transferredByteCount)
    let hasDigest = receiver.common.flags.contains(.dataDigest)
    if let base = slot.pointee.contiguous {
      if hasDigest {
        receiver.digest = nvmeof_crc32c_copy_extend(receiver.digest, base + offset, piece, count)
      } else {
        (base + offset).copyMemory(from: piece, byteCount: count)
      }
    } else {
      var source = piece
      var digest = receiver.digest
      slot.pointee.data.forEachPiece(offset: offset, count: count) { base, length in
        if hasDigest {
          digest = nvmeof_crc32c_copy_extend(digest, base, source, length)
        } else {
          base.copyMemory(from: source, byteCount: length)
        }
        source += length
      }
      receiver.digest = digest
    }
    slot.pointee.transferredByteCount += UInt32(count)
  }

  private mutating func handleEnd() {
    guard receiver.common.type == PDUType.controllerToHostData.rawValue else { return }
    let slot = slots + receivingSlot
    if receiver.hasDataDigestError {
      // NVMe/TCP 1.1, section 3.3.1: not fatal for the connection; the command fails, whatever the response says.
      slot.pointee.outcome = .dataDigestError
      slot.pointee.status = .transientTransportError
    }
    guard receiver.common.flags.contains(.success) else { return }
    answer(receivingSlot, result: 0, status: StatusField(rawValue: 0))
  }

  private mutating func handleResponse(_ entry: CompletionQueueEntry) {
    guard let index = outstandingSlot(entry.commandIdentifier) else {
      refuse(
        .invalidPDUHeaderField, .queueEntry, .outstanding, expected: 0 as UInt16, received: entry.commandIdentifier)
      return
    }
    answer(index, result: entry.result, status: entry.status)
  }

  private mutating func answer(_ index: Int, result: UInt64, status: StatusField) {
    let slot = slots + index
    slot.pointee.phase = .answered
    slot.pointee.result = result
    if slot.pointee.outcome == .answered {
      slot.pointee.status = status
      if status.isSuccess, isShortOfData(index) {
        slot.pointee.outcome = .shortData
        slot.pointee.status = .dataTransferError
      }
    }
    // Data that was asked for but is not on its way yet is not sent any more: a slot that is still in the send queue
    // retires when it comes up there.
    if isReleased(index) { complete(index) }
  }

  /// True when not all of a command's data can have been where it belongs: the controller has not sent, or not asked
  /// for, all of it, or has not waited for what it has asked for.
  private func isShortOfData(_ index: Int) -> Bool {
    switch slots[index].direction {
    case .none:
      return false
    case .controllerToHost:
      return slots[index].transferredByteCount != slots[index].data.byteCount
    case .hostToController:
      if emittingSlot == index || slots[index].requestedByteCount > 0 { return true }
      return !slots[index].usesInCapsuleData && slots[index].transferredByteCount != slots[index].data.byteCount
    }
  }

  private mutating func handleReadyToTransfer(_ header: ReadyToTransferHeader) {
    guard let index = outstandingSlot(header.commandIdentifier) else {
      refuse(
        .invalidPDUHeaderField, .commandIdentifier, .outstanding, expected: 0 as UInt16,
        received: header.commandIdentifier)
      return
    }
    let slot = slots + index
    guard slot.pointee.direction == .hostToController, !slot.pointee.usesInCapsuleData else {
      refuse(
        .invalidPDUHeaderField, .commandIdentifier, .outstanding, expected: 0 as UInt16,
        received: header.commandIdentifier)
      return
    }
    // MAXR2T 0: one at a time (section 3.6.2.2).
    guard slot.pointee.requestedByteCount == 0 else {
      refuse(
        .limitExceeded, .readyToTransferOffset, .inOrder, expected: slot.pointee.requestedByteCount,
        received: header.length)
      return
    }
    guard header.offset == slot.pointee.transferredByteCount else {
      refuse(
        .dataTransferOutOfRange, .readyToTransferOffset, .inOrder, expected: slot.pointee.transferredByteCount,
        received: header.offset)
      return
    }
    let left = slot.pointee.data.byteCount - slot.pointee.transferredByteCount
    guard header.length <= left else {
      refuse(.dataTransferOutOfRange, .readyToTransferLength, .atMost, expected: left, received: header.length)
      return
    }
    slot.pointee.requestedOffset = header.offset
    slot.pointee.requestedByteCount = header.length
    slot.pointee.transferTag = header.transferTag
    slot.pointee.transferredByteCount += header.length
    enqueue(index)
  }

  // MARK: Completion and failure

  private mutating func complete(_ index: Int) {
    let slot = slots + index
    let position = completionTail & completionMask
    (completions + position).initialize(
      to: CommandCompletion(
        context: slot.pointee.context, token: slot.pointee.token, result: slot.pointee.result,
        status: slot.pointee.status, outcome: slot.pointee.outcome))
    completionTail &+= 1
    assert(completionTail &- completionHead <= completionMask + 1)
    slot.pointee.phase = .free
    slot.pointee.generation &+= 1
    slot.pointee.result = 0
    freeSlots[unusedSlotCount] = UInt16(index)
    unusedSlotCount += 1
  }

  /// True when ``popCompletion()`` has something.
  public var hasCompletions: Bool { completionHead != completionTail }

  /// The next command that has ended. Its memory is the caller's again.
  public mutating func popCompletion() -> CommandCompletion? {
    if completionHead == completionTail { return nil }
    let completion = completions[completionHead & completionMask]
    completionHead &+= 1
    return completion
  }

  /// Commands whose deadline has passed; looked for by going over the table, so not for every turn.
  public func expiredCommandCount(nowNanoseconds: UInt64) -> Int {
    var count = 0
    for index in 0..<configuration.depth
    where slots[index].phase != .free && slots[index].deadlineNanoseconds <= nowNanoseconds {
      count += 1
    }
    return count
  }

  /// A command whose deadline has passed for the first time; its deadline moves by `extension`, and it is not handed out
  /// again. Deadlines are even; one that has been moved is odd.
  public mutating func takeExpiredCommand(nowNanoseconds: UInt64, extendingNanoseconds extension: UInt64) -> UInt16? {
    for index in 0..<configuration.depth
    where slots[index].phase == .outstanding && slots[index].deadlineNanoseconds <= nowNanoseconds
      && slots[index].deadlineNanoseconds & 1 == 0
    {
      slots[index].deadlineNanoseconds = nowNanoseconds &+ `extension` | 1
      return slots[index].command.commandIdentifier
    }
    return nil
  }

  /// Whether a command that was submitted since this was last asked has also been answered since. Looked for by going over the
  /// table, whose generations tell, so that commands need not be counted.
  public mutating func takeTraffic() -> Bool {
    var hasTraffic = false
    for index in 0..<trafficGenerations.count {
      let difference = slots[index].generation &- trafficGenerations[index]
      if difference != 0 && difference != .max { hasTraffic = true }
    }
    if trafficGenerations.isEmpty { trafficGenerations = Array(repeating: 0, count: configuration.depth) }
    for index in 0..<configuration.depth {
      // A command that is outstanding now ends without being traffic: the next one is.
      trafficGenerations[index] = slots[index].generation &+ (slots[index].phase == .free ? 0 : 1)
    }
    return hasTraffic
  }

  /// Ends every command that has not ended, after the connection has: only then does the kernel hold none of their
  /// memory any more. Completions follow by ``popCompletion()``.
  public mutating func failAll() {
    sendQueue.removeAll()
    touchedCount = 0
    unsentByteCount = 0
    emittingSlot = -1
    needsConnectionRequest = false
    needsTerminationRequest = false
    if state == .ready || state == .initializing { state = .terminating }
    for index in 0..<configuration.depth where slots[index].phase != .free {
      let slot = slots + index
      slot.pointee.sendsUnderWay = 0
      slot.pointee.isInSendQueue = false
      if slot.pointee.phase != .answered {
        slot.pointee.outcome = slot.pointee.phase == .queued ? .notSent : .connectionLost
        slot.pointee.status = .commandAbortedByHost
      }
      complete(index)
    }
  }

  private mutating func refuse(
    _ status: FatalErrorStatus, _ field: PDUField, _ rule: PDURule, expected: some UnsignedInteger,
    received: some UnsignedInteger
  ) {
    fail(
      PDUViolation(
        status, type: receiver.common.type, field: field, rule: rule, expected: UInt64(expected),
        received: UInt64(received)))
  }

  // Not inlined: it allocates, and `receive` is for every command.
  @inline(never) private mutating func fail(_ violation: PDUViolation) {
    self.violation = violation
    state = .terminating
    needsTerminationRequest = violation.isReportable
    let count = min(receiver.headerByteCount, TerminationRequest.maximumDataByteCount)
    offendingHeader = [UInt8](UnsafeRawBufferPointer(start: receiver.header, count: count))
  }
}
