package import NVMeProtocol

/// What the owner does with a command: it has data come, and answers, at once or later.
extension TargetQueuePair {
  /// Where a command's SGL says its data is.
  package enum DataPlacement: Equatable {
    case inCapsule
    case transport
    /// The SGL is wrong; the command fails with this status.
    case invalid(StatusField)
  }

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

  mutating func requestData(_ index: Int) {
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
}
