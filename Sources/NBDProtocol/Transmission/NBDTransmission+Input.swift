public import NVMeProtocol

extension NBDTransmission {
  /// Takes input.
  ///
  /// - Returns: how many bytes have been taken. Fewer than there are: there is no place for more requests, or ``state`` is
  ///   not `open` any more. Try again when requests have ended.
  public mutating func receive(_ bytes: UnsafeRawBufferPointer) -> Int {
    // Without any, a header that was complete already may find a place now.
    let base = bytes.baseAddress ?? UnsafeRawPointer(partial)
    var position = 0
    while state == .open {
      if let index = payloadIndex {
        let count = Int(min(payloadLeft, UInt64(bytes.count - position)))
        if let buffer = slots[Int(index)].buffer {
          (buffer + payloadPosition).copyMemory(from: base + position, byteCount: count)
        }
        position += count
        payloadArrived(count)
        if payloadIndex != nil { break }
        continue
      }
      if partialByteCount == 0, bytes.count - position >= headerByteCount {
        // The usual case: all of the header is here.
        if take(base + position) {
          position += headerByteCount
          continue
        }
        break
      }
      let count = min(headerByteCount - partialByteCount, bytes.count - position)
      (partial + partialByteCount).copyMemory(from: base + position, byteCount: count)
      partialByteCount += count
      position += count
      guard partialByteCount == headerByteCount, take(UnsafeRawPointer(partial)) else { break }
      partialByteCount = 0
    }
    return position
  }

  /// A request is complete up to its payload, and has no place.
  public var isWaitingForPlace: Bool { partialByteCount == headerByteCount }
  /// Bytes that the next header lacks.
  public var missingHeaderByteCount: Int { headerByteCount - partialByteCount }

  /// Where the rest of a payload may be received to, without coming by ``receive(_:)``; nil when none is outstanding.
  public var directVector: IOVector? {
    mutating get {
      guard let index = payloadIndex, let buffer = slots[Int(index)].buffer else { return nil }
      return IOVector(base: buffer + payloadPosition, count: Int(payloadLeft))
    }
  }

  /// So many bytes have been received to ``directVector``.
  public mutating func didReceiveDirectly(byteCount: Int) { payloadArrived(byteCount) }

  mutating func payloadArrived(_ byteCount: Int) {
    payloadLeft -= UInt64(byteCount)
    payloadPosition += byteCount
    guard payloadLeft == 0, let index = payloadIndex else { return }
    payloadIndex = nil
    dispatch(index)
  }

  /// Takes a header. False when there is no place for the request.
  mutating func take(_ header: UnsafeRawPointer) -> Bool {
    let isExtended = session.style == .extended
    guard header.bigEndian(0, as: UInt32.self) == (isExtended ? NBDMagic.extendedRequest : NBDMagic.request) else {
      state = .violated(.badMagic)
      return false
    }
    let flags = NBDCommandFlags(rawValue: header.bigEndian(4, as: UInt16.self))
    let command = NBDCommand(rawValue: header.bigEndian(6, as: UInt16.self))
    let offset = header.bigEndian(16, as: UInt64.self)
    let length = isExtended ? header.bigEndian(24, as: UInt64.self) : UInt64(header.bigEndian(24, as: UInt32.self))
    let hasPayload = isExtended ? flags.contains(.payloadLength) : command == .write
    if hasPayload, length > max(UInt64(limits.maximumPayloadByteCount), Self.harmlessPayloadByteCount) {
      state = .violated(.oversizedPayload)
      return false
    }
    if command == .disconnect, !hasPayload {
      state = .disconnecting
      return true
    }
    guard let index = free.popFirst() else { return false }
    let slot = slots + Int(index)
    slot.pointee.cookie = header.bigEndian(8, as: UInt64.self)
    slot.pointee.offset = offset
    slot.pointee.length = length
    slot.pointee.command = command
    slot.pointee.flags = flags
    slot.pointee.slackByteCount = 0
    slot.pointee.failure = failure(command, flags, offset, length, hasPayload)
    if slot.pointee.failure == nil, command == .write, isMemoryWanted || !takeBuffer(slot) {
      free.prepend(index)
      return false
    }
    if hasPayload, length > 0 {
      payloadIndex = index
      payloadLeft = length
      payloadPosition = 0
    } else {
      dispatch(index)
    }
    return true
  }

  /// Memory for the blocks of a read or write. False when the client has as much as it may.
  mutating func takeBuffer(_ slot: UnsafeMutablePointer<NBDRequestSlot>) -> Bool {
    let slack = slot.pointee.offset & blockMask
    let blocks = (slack + slot.pointee.length + blockMask) & ~blockMask
    let sizeClass = NBDBufferPool.sizeClass(forByteCount: Int(blocks))
    let byteCount = NBDBufferPool.byteCount(of: sizeClass)
    guard memoryByteCount == 0 || memoryByteCount + byteCount <= memoryLimit else { return false }
    let borrowed =
      Self.excess(memoryByteCount + byteCount, over: ownMemoryByteCount)
      - Self.excess(memoryByteCount, over: ownMemoryByteCount)
    if borrowed > 0 {
      let client = client
      guard pool._withUnsafeGuaranteedRef({ $0.borrow(borrowed, client) }) else { return false }
    }
    memoryByteCount += byteCount
    slot.pointee.slackByteCount = UInt32(slack)
    slot.pointee.sizeClass = sizeClass
    slot.pointee.buffer = pool._withUnsafeGuaranteedRef { $0.take(sizeClass) }
    return true
  }

  static func excess(_ byteCount: Int, over limit: Int) -> Int { max(0, byteCount - limit) }

  /// Of the memory of its requests, what is borrowed from what all clients share.
  public var borrowedByteCount: Int { Self.excess(memoryByteCount, over: ownMemoryByteCount) }

  /// Clients wait for memory: whenever some may have been given back, ``NBDBufferPool/nextTurn()`` tells whose turn it is.
  ///
  /// (Mutating, because a caller in another module would copy all of this to call it otherwise.)
  public var hasWaiters: Bool { mutating get { pool._withUnsafeGuaranteedRef { $0.hasWaiters } } }

  /// What is wrong with a request; nil when nothing is. (It mutates nothing: but a method that says so would be lent a copy
  /// of everything here.)
  mutating func failure(
    _ command: NBDCommand, _ flags: NBDCommandFlags, _ offset: UInt64, _ length: UInt64, _ hasPayload: Bool
  ) -> NBDFailure? {
    if let rejection { return rejection }
    if session.style == .extended {
      guard hasPayload == (command == .write) else { return hasPayload ? .unexpectedPayload : .unknownFlags }
    }
    var allowed: NBDCommandFlags = session.style == .extended && command == .write ? .payloadLength : []
    if limits.flags.contains(.sendForceUnitAccess) { allowed.insert(.forceUnitAccess) }
    switch command {
    case .read:
      if session.style != .simple { allowed.insert(.doNotFragment) }
      guard allowed.isSuperset(of: flags) else { return .unknownFlags }
      if length == 0 { return .zeroLength }
      if !isWithin(offset, length) { return .readBeyondEnd }
      if length > UInt64(limits.maximumPayloadByteCount) {
        return session.style == .simple ? .payloadTooLarge : .readTooLarge
      }
      return nil
    case .write:
      guard allowed.isSuperset(of: flags) else { return .unknownFlags }
      if limits.flags.contains(.readOnly) { return .readOnly }
      if length == 0 { return .zeroLength }
      if length > UInt64(limits.maximumPayloadByteCount) { return .payloadTooLarge }
      if !isWithin(offset, length) { return .writeBeyondEnd }
      return (offset | length) & blockMask == 0 ? nil : .misaligned
    case .flush:
      guard allowed.isSuperset(of: flags) else { return .unknownFlags }
      return offset == 0 && length == 0 ? nil : .reservedFields
    case .trim:
      guard allowed.isSuperset(of: flags) else { return .unknownFlags }
      if limits.flags.contains(.readOnly) { return .readOnly }
      guard limits.flags.contains(.sendTrim) else { return .unknownCommand }
      if length == 0 { return .zeroLength }
      return isWithin(offset, length) ? nil : .readBeyondEnd
    case .writeZeroes:
      allowed.insert(.noHole)
      if limits.flags.contains(.sendFastZero) { allowed.insert(.fastZero) }
      guard allowed.isSuperset(of: flags) else { return .unknownFlags }
      if limits.flags.contains(.readOnly) { return .readOnly }
      guard limits.flags.contains(.sendWriteZeroes) else { return .unknownCommand }
      if length == 0 { return .zeroLength }
      if !isWithin(offset, length) { return .writeBeyondEnd }
      return (offset | length) & blockMask == 0 ? nil : .misaligned
    case .cache:
      guard allowed.isSuperset(of: flags) else { return .unknownFlags }
      return isWithin(offset, length) ? nil : .readBeyondEnd
    case .blockStatus:
      allowed.insert(.requestOne)
      guard allowed.isSuperset(of: flags) else { return .unknownFlags }
      // Only chunks can answer it.
      guard session.allocationContextIdentifier != nil, session.style != .simple else { return .notNegotiated }
      if length == 0 { return .zeroLength }
      return isWithin(offset, length) ? nil : .readBeyondEnd
    default:
      return .unknownCommand
    }
  }

  func isWithin(_ offset: UInt64, _ length: UInt64) -> Bool {
    offset <= limits.byteCount && length <= limits.byteCount - offset
  }

  /// All of a request is here: it goes to the device, or is answered.
  mutating func dispatch(_ index: UInt16) {
    let slot = slots + Int(index)
    if slot.pointee.failure == nil {
      switch slot.pointee.command {
      case .read, .write, .flush, .writeZeroes:
        ready.append(index)
        return
      case .trim where !trimmedRange(slot.pointee).isEmpty:
        ready.append(index)
        return
      default:
        break
      }
    }
    replies.append(index)
  }

  /// The blocks that lie wholly within a trim: a hint may be followed in part.
  func trimmedRange(_ slot: NBDRequestSlot) -> Range<UInt64> {
    // The export ends at a block's end: this does not overflow.
    let start = (slot.offset + blockMask) & ~blockMask
    return start..<max(start, (slot.offset + slot.length) & ~blockMask)
  }
}
