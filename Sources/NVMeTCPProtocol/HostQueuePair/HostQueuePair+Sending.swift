internal import CCRC32C
public import NVMeProtocol

/// Sending: what the slots in the send queue have to say is gathered into batches.
extension HostQueuePair {
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

  /// Bytes of data the batch may still take. Headers may go a little beyond.
  private var batchRoom: Int { Self.batchByteLimit - unsentByteCount }

  /// So many bytes of staging, appended to the batch.
  private mutating func stage(_ count: Int) -> UnsafeMutableRawPointer {
    let start = staging + stagingCount
    stagingCount += count
    append(start, count)
    return start
  }

  mutating func append(_ base: UnsafeMutableRawPointer, _ count: Int) {
    unsentByteCount += count
    if vectorCount > 0, let last = vectors[vectorCount - 1].base, last + vectors[vectorCount - 1].count == base {
      // Headers one after the other in staging, or neighbouring caller memory: one vector.
      vectors[vectorCount - 1] = IOVector(base: last, count: vectors[vectorCount - 1].count + count)
      return
    }
    vectors[vectorCount] = IOVector(base: base, count: count)
    vectorCount += 1
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
}
