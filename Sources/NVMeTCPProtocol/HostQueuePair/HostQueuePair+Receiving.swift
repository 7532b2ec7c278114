internal import NVMeProtocol

/// Receiving: bytes become PDUs, and each PDU is held against the command it names.
extension HostQueuePair {
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

  private mutating func beginControllerData(_ header: C2HDataHeader) {
    guard let index = outstandingSlot(header.commandIdentifier) else {
      return refuseCommand(header.commandIdentifier)
    }
    let slot = slots + index
    guard slot.pointee.direction == .controllerToHost else {
      return refuseCommand(header.commandIdentifier)
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

  private mutating func handleEnd() {
    guard receiver.common.type == PDUType.controllerToHostData.rawValue else { return }
    let slot = slots + receivingSlot
    if receiver.hasDataDigestError {
      // NVMe/TCP 1.1, section 3.5: not fatal for the connection; the command fails, whatever the response says.
      slot.pointee.outcome = .dataDigestError
      slot.pointee.status = .transientTransportError
    }
    guard receiver.common.flags.contains(.success) else { return }
    answer(receivingSlot, result: 0, status: StatusField(rawValue: 0))
  }

  private mutating func handleResponse(_ entry: CompletionQueueEntry) {
    guard let index = outstandingSlot(entry.commandIdentifier) else {
      return refuseCommand(entry.commandIdentifier, .queueEntry)
    }
    answer(index, result: entry.result, status: entry.status)
  }

  private mutating func handleReadyToTransfer(_ header: ReadyToTransferHeader) {
    guard let index = outstandingSlot(header.commandIdentifier) else {
      return refuseCommand(header.commandIdentifier)
    }
    let slot = slots + index
    guard slot.pointee.direction == .hostToController, !slot.pointee.usesInCapsuleData else {
      return refuseCommand(header.commandIdentifier)
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

  /// For a PDU that names no command that waits for it.
  private mutating func refuseCommand(_ identifier: UInt16, _ field: PDUField = .commandIdentifier) {
    refuse(.invalidPDUHeaderField, field, .outstanding, expected: 0 as UInt16, received: identifier)
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
