public import NVMeProtocol

extension NBDTransmission {
  public var wantsToSend: Bool { firstVector < vectorEnd || !replies.isEmpty }

  /// What is to be sent next, in this order, about ``replyWindowByteCount`` at most, so that ``didSend(byteCount:)`` hears
  /// of it now and then; valid until that has been told of all of it.
  public mutating func buildSend() -> UnsafeMutableBufferPointer<IOVector> {
    if firstVector == vectorEnd {
      firstVector = 0
      vectorEnd = 0
      while vectorCapacity - vectorEnd >= Self.vectorsPerReply, let index = replies.popFirst() {
        emit(index)
        sending.append(index)
      }
    }
    let end = replyByteCount > Self.replyWindowByteCount ? cut() : vectorEnd
    return UnsafeMutableBufferPointer(
      rebasing: UnsafeMutableBufferPointer(start: vectors, count: end)[firstVector...])
  }

  /// Ends the next send within a reply's data, where there is so much of it. Returns the end of its vectors.
  @inline(never) mutating func cut() -> Int {
    var room = Self.replyWindowByteCount
    var end = firstVector
    while end < vectorEnd, room > 0 {
      let vector = vectors + end
      if vector.pointee.count > room {
        cutByteCount = vector.pointee.count - room
        vector.pointee = IOVector(base: vector.pointee.base!, count: room)
      }
      room -= vector.pointee.count
      end += 1
    }
    cutEnd = end
    return end
  }

  /// So many bytes of what was to be sent are with the kernel, which needs the memory no more.
  public mutating func didSend(byteCount: Int) {
    if cutByteCount > 0 { rejoin() }
    var left = byteCount
    while left > 0 {
      let vector = vectors + firstVector
      if left < vector.pointee.count {
        vector.pointee = IOVector(base: vector.pointee.base! + left, count: vector.pointee.count - left)
        return
      }
      left -= vector.pointee.count
      firstVector += 1
      vectorSent()
    }
  }

  @inline(never) mutating func rejoin() {
    let vector = vectors + (cutEnd - 1)
    vector.pointee = IOVector(base: vector.pointee.base!, count: vector.pointee.count + cutByteCount)
    cutByteCount = 0
  }

  mutating func vectorSent() {
    guard let index = sending.first else { return }
    // By a pointer: the compiler's thread sanitizer fails on the subscript (Swift 6.3.1).
    (slots + Int(index)).pointee.vectorCount -= 1
    guard slots[Int(index)].vectorCount == 0 else { return }
    _ = sending.popFirst()
    if slots[Int(index)].isAbandoned {
      slots[Int(index)].isAnswered = true
      answeredCount += 1
      return
    }
    if slots[Int(index)].buffer != nil {
      replyByteCount -= NBDBufferPool.byteCount(of: slots[Int(index)].sizeClass)
    }
    release(index)
  }

  mutating func giveBuffer(_ slot: UnsafeMutablePointer<NBDRequestSlot>) {
    guard let buffer = slot.pointee.buffer else { return }
    let sizeClass = slot.pointee.sizeClass
    slot.pointee.buffer = nil
    let borrowed = Self.excess(memoryByteCount, over: ownMemoryByteCount)
    memoryByteCount -= NBDBufferPool.byteCount(of: sizeClass)
    let givenBack = borrowed - Self.excess(memoryByteCount, over: ownMemoryByteCount)
    pool._withUnsafeGuaranteedRef { pool in
      if givenBack > 0 { pool.giveBack(givenBack) }
      pool.give(buffer, sizeClass)
    }
  }

  mutating func release(_ index: UInt16) {
    giveBuffer(slots + Int(index))
    // Last in, first out: what was used last is in the processor's caches.
    free.prepend(index)
  }

  mutating func append(_ base: UnsafeMutableRawPointer, _ count: Int) {
    vectors[vectorEnd] = IOVector(base: base, count: count)
    vectorEnd += 1
  }

  mutating func emit(_ index: UInt16) {
    let slot = slots + Int(index)
    let header = headers + Int(index) * Self.headerStride
    let first = vectorEnd
    if slot.pointee.failure != nil {
      emitFailure(slot, header)
    } else if slot.pointee.command == .read, let buffer = slot.pointee.buffer {
      let data = buffer + Int(slot.pointee.slackByteCount)
      let byteCount = Int(slot.pointee.length)
      if session.style == .simple {
        simpleHeader(header, slot, error: 0)
        append(header, 16)
      } else {
        let size = chunkHeader(header, slot, .offsetData, payloadByteCount: 8 + byteCount)
        header.store(bigEndian: slot.pointee.offset, at: size)
        append(header, size + 8)
      }
      append(data, byteCount)
    } else if slot.pointee.command == .blockStatus {
      emitBlockStatus(slot, header)
    } else if session.style == .extended {
      append(header, chunkHeader(header, slot, .none, payloadByteCount: 0))
    } else {
      simpleHeader(header, slot, error: 0)
      append(header, 16)
    }
    slot.pointee.vectorCount = UInt8(vectorEnd - first)
  }

  @inline(never)
  mutating func emitFailure(_ slot: UnsafeMutablePointer<NBDRequestSlot>, _ header: UnsafeMutableRawPointer) {
    let failure = slot.pointee.failure ?? .deviceError
    guard session.style != .simple else {
      simpleHeader(header, slot, error: failure.error.rawValue)
      append(header, 16)
      return
    }
    let text = failure.text
    let size = chunkHeader(header, slot, .error, payloadByteCount: 6 + text.utf8CodeUnitCount)
    header.store(bigEndian: failure.error.rawValue, at: size)
    header.store(bigEndian: UInt16(text.utf8CodeUnitCount), at: size + 4)
    append(header, size + 6)
    // It is only read.
    append(UnsafeMutableRawPointer(mutating: text.utf8Start), text.utf8CodeUnitCount)
  }

  /// All blocks are allocated, as far as anybody knows: one extent.
  @inline(never)
  mutating func emitBlockStatus(
    _ slot: UnsafeMutablePointer<NBDRequestSlot>, _ header: UnsafeMutableRawPointer
  ) {
    let identifier = session.allocationContextIdentifier ?? 0
    if session.style == .extended {
      let size = chunkHeader(header, slot, .blockStatusExtended, payloadByteCount: 24)
      header.store(bigEndian: identifier, at: size)
      header.store(bigEndian: 1 as UInt32, at: size + 4)
      header.store(bigEndian: slot.pointee.length, at: size + 8)
      header.store(bigEndian: 0 as UInt64, at: size + 16)
      append(header, size + 24)
    } else {
      let size = chunkHeader(header, slot, .blockStatus, payloadByteCount: 12)
      header.store(bigEndian: identifier, at: size)
      header.store(bigEndian: UInt32(slot.pointee.length), at: size + 4)
      header.store(bigEndian: 0 as UInt32, at: size + 8)
      append(header, size + 12)
    }
  }

  func simpleHeader(
    _ header: UnsafeMutableRawPointer, _ slot: UnsafeMutablePointer<NBDRequestSlot>, error: UInt32
  ) {
    header.store(bigEndian: NBDMagic.simpleReply, at: 0)
    header.store(bigEndian: error, at: 4)
    header.store(bigEndian: slot.pointee.cookie, at: 8)
  }

  /// The only and therefore last chunk of a reply. Returns the header's size.
  func chunkHeader(
    _ header: UnsafeMutableRawPointer, _ slot: UnsafeMutablePointer<NBDRequestSlot>, _ type: NBDReplyType,
    payloadByteCount: Int
  ) -> Int {
    let isExtended = session.style == .extended
    header.store(bigEndian: isExtended ? NBDMagic.extendedReply : NBDMagic.structuredReply, at: 0)
    // NBD_REPLY_FLAG_DONE
    header.store(bigEndian: 1 as UInt16, at: 4)
    header.store(bigEndian: type.rawValue, at: 6)
    header.store(bigEndian: slot.pointee.cookie, at: 8)
    if isExtended {
      header.store(bigEndian: slot.pointee.offset, at: 16)
      header.store(bigEndian: UInt64(payloadByteCount), at: 24)
      return 32
    }
    header.store(bigEndian: UInt32(payloadByteCount), at: 16)
    return 20
  }
}
