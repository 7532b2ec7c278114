internal import CCRC32C
internal import NVMeProtocol
internal import NVMeTCPProtocol

/// Receiving: bytes become PDUs, PDUs become commands and their data.
extension TargetQueuePair {
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

  mutating func initialize(_ request: ICRequest) {
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
      // NVMe/TCP 1.1, section 3.5: the command fails, the connection goes on.
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
}
