internal import CCRC32C
public import NVMeProtocol

/// Sending: what the slots in the send queue have to say is gathered into batches.
extension HostQueuePair {
  /// The vectors still to be sent of the present batch; valid until ``didSend(byteCount:)``.
  public var sendVectors: UnsafeMutableBufferPointer<IOVector> {
    batch.unsentVectors
  }

  /// True when ``buildSend()`` would find something.
  public var wantsToSend: Bool {
    batch.unsentByteCount > 0 || needsConnectionRequest || needsTerminationRequest || emittingSlot >= 0
      || (state == .ready && !sendQueue.isEmpty)
  }

  /// Gathers the next batch, unless one is under way.
  ///
  /// - Returns: bytes to send; 0 when there is nothing.
  public mutating func buildSend() -> Int {
    if batch.unsentByteCount > 0 { return batch.unsentByteCount }
    batch.removeAll()
    touchedCount = 0
    if needsConnectionRequest {
      needsConnectionRequest = false
      configuration.connectionRequest.store(to: batch.stage(ICRequest.byteCount))
    }
    while emittingSlot >= 0 || state == .ready {
      if emittingSlot >= 0 {
        guard emitData() else { break }
      } else {
        guard batch.hasRoom(vectors: 4, stagingByteCount: Self.stagingReserve), batchRoom > 0,
          let index = sendQueue.popFirst()
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
        let start = batch.stage(Int(request.common.length))
        offendingHeader.withUnsafeBytes { _ = request.store(to: start, offendingHeader: $0.baseAddress!) }
      }
    }
    return batch.unsentByteCount
  }

  /// Reports that the socket has taken so many bytes.
  public mutating func didSend(byteCount: Int) {
    if batch.didSend(byteCount: byteCount) { releaseTouched() }
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
    guard batch.hasRoom(vectors: 2, stagingByteCount: 4), batchRoom > 0 else { return false }
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
      guard batch.hasRoom(vectors: 1, stagingByteCount: 4) else { return false }
      batch.stage(4).storeBytes(of: emittingDigest.littleEndian, as: UInt32.self)
    }
    emittingSlot = -1
    if slots[index].phase == .answered && isReleased(index) { complete(index) }
    return true
  }

  private mutating func emitPiece(_ base: UnsafeMutableRawPointer, _ count: Int) {
    if emitsDigest { emittingDigest = nvmeof_crc32c_extend(emittingDigest, base, count) }
    batch.append(base, count)
    emittingOffset += count
    emittingByteCount -= count
  }

  private mutating func emitScattered(_ data: DataSegments) {
    guard var vector = data.vectors else { return }
    let end = vector + Int(data.vectorCount)
    var skip = Int(data.byteOffset) + emittingOffset
    while vector < end, emittingByteCount > 0, batchRoom > 0, batch.hasRoom(vectors: 2, stagingByteCount: 0) {
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
  private var batchRoom: Int { Self.batchByteLimit - batch.unsentByteCount }

  /// Stages room for a header, its digest and padding; the padding is written.
  private mutating func stage(_ template: HeaderTemplate) -> UnsafeMutableRawPointer {
    let start = batch.stage(template.dataOffset)
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
