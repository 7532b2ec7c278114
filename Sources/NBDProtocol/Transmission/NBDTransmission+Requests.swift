internal import NVMeProtocol

extension NBDTransmission {
  /// Some may have to wait until others have ended, or answers have been sent.
  public var hasRequests: Bool { !ready.isEmpty }

  /// There is no memory for a read, and nothing to be sent that would give some back.
  public var waitsForMemory: Bool { isMemoryWanted && !wantsToSend }

  /// Hands out a request for the device; it is answered by ``complete(_:_:)``.
  public mutating func popRequest() -> NBDRequest? {
    guard var index = ready.first else { return nil }
    var slot = slots + Int(index)
    if slot.pointee.command == .read, slot.pointee.buffer == nil {
      guard replyByteCount < Self.replyWindowByteCount else { return nil }
      isMemoryWanted = !takeBuffer(slot)
    }
    if isMemoryWanted {
      guard let other = popNeedingNoMemory() else { return nil }
      index = other
      slot = slots + Int(index)
    } else {
      _ = ready.popFirst()
    }
    outstandingCount += 1
    var request = NBDRequest(
      index: index, operation: .flush,
      isForceUnitAccess: slot.pointee.flags.contains(.forceUnitAccess),
      isNoHole: slot.pointee.flags.contains(.noHole), isFastZero: slot.pointee.flags.contains(.fastZero),
      offset: 0, byteCount: 0,
      memory: UnsafeMutableRawBufferPointer(start: nil, count: 0))
    switch slot.pointee.command {
    case .read:
      request.operation = .read
      let slack = UInt64(slot.pointee.slackByteCount)
      request.offset = slot.pointee.offset - slack
      request.byteCount = (slack + slot.pointee.length + blockMask) & ~blockMask
    case .write:
      request.operation = .write
      request.offset = slot.pointee.offset
      request.byteCount = slot.pointee.length
    case .writeZeroes:
      request.operation = .writeZeroes
      request.offset = slot.pointee.offset
      request.byteCount = slot.pointee.length
    case .trim:
      request.operation = .trim
      let range = trimmedRange(slot.pointee)
      request.offset = range.lowerBound
      request.byteCount = range.upperBound - range.lowerBound
    default:
      break
    }
    if let buffer = slot.pointee.buffer {
      request.memory = UnsafeMutableRawBufferPointer(start: buffer, count: Int(request.byteCount))
    }
    return request
  }

  /// The first request of those that need no memory: they have theirs, which they are to give back, or no data.
  @inline(never) mutating func popNeedingNoMemory() -> UInt16? {
    var found: UInt16?
    for _ in 0..<ready.count {
      guard let index = ready.popFirst() else { break }
      let slot = slots + Int(index)
      if found == nil, slot.pointee.command != .read || slot.pointee.buffer != nil {
        found = index
      } else {
        ready.append(index)
      }
    }
    return found
  }

  /// Takes back a request that the device has no room for just now: it is handed out first next time.
  public mutating func putBack(_ index: UInt16) {
    outstandingCount -= 1
    ready.prepend(index)
  }

  /// A trim that was handed out is done, and not yet persistent: it is handed out once more, as a flush.
  @inline(never) public mutating func flush(_ index: UInt16) {
    let slot = slots + Int(index)
    if slot.pointee.isAbandoned { return complete(index, nil) }
    slot.pointee.command = .flush
    putBack(index)
  }

  /// A request that was handed out has ended; its memory is the engine's again.
  public mutating func complete(_ index: UInt16, _ failure: NBDFailure?) {
    outstandingCount -= 1
    let slot = slots + Int(index)
    if slot.pointee.isAbandoned { return completeAbandoned(index) }
    slot.pointee.failure = failure
    if slot.pointee.buffer != nil {
      if slot.pointee.command == .read, failure == nil {
        replyByteCount += NBDBufferPool.byteCount(of: slot.pointee.sizeClass)
      } else {
        giveBuffer(slot)
      }
    }
    replies.append(index)
  }

  /// Requests that have not been handed out are not carried out any more: the client is gone.
  public mutating func dropRequests() {
    isMemoryWanted = false
    while let index = ready.popFirst() { release(index) }
    let client = client
    pool._withUnsafeGuaranteedRef { $0.stopWaiting(client) }
  }

  /// Every request that is complete and has not ended is answered with `failure`, also those that the device has: their memory
  /// is the device's until it is done with them.
  public mutating func abandonRequests(_ failure: NBDFailure) {
    isMemoryWanted = false
    // Whatever is in no queue is with the device: it would cost every request something to keep that otherwise.
    var isOutstanding = [Bool](repeating: true, count: requestLimit)
    if let payloadIndex { isOutstanding[Int(payloadIndex)] = false }
    free.forEach { isOutstanding[Int($0)] = false }
    replies.forEach { isOutstanding[Int($0)] = false }
    sending.forEach { isOutstanding[Int($0)] = false }
    while let index = ready.popFirst() {
      isOutstanding[Int(index)] = false
      giveBuffer(slots + Int(index))
      slots[Int(index)].failure = failure
      replies.append(index)
    }
    for index in 0..<requestLimit where isOutstanding[index] && !slots[index].isAbandoned {
      slots[index].isAbandoned = true
      slots[index].failure = failure
      replies.append(UInt16(index))
    }
  }

  @inline(never) mutating func completeAbandoned(_ index: UInt16) {
    let slot = slots + Int(index)
    slot.pointee.isAbandoned = false
    giveBuffer(slot)
    guard slot.pointee.isAnswered else { return }
    slot.pointee.isAnswered = false
    answeredCount -= 1
    release(index)
  }
}
