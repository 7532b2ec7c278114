public import NVMeProtocol

/// Ending: a command that has been answered, or never will be, leaves its slot and becomes a completion.
extension HostQueuePair {
  mutating func answer(_ index: Int, result: UInt64, status: StatusField) {
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

  /// True when neither the socket nor the gathering has any of the command's memory, nor the send queue its slot.
  func isReleased(_ index: Int) -> Bool {
    slots[index].sendsUnderWay == 0 && emittingSlot != index && !slots[index].isInSendQueue
  }

  mutating func complete(_ index: Int) {
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

  /// Ends every command that has not ended, after the connection has: only then does the kernel hold none of their
  /// memory any more. Completions follow by ``popCompletion()``.
  public mutating func failAll() {
    sendQueue.removeAll()
    touchedCount = 0
    batch.removeAll()
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
}
