internal import CCRC32C
package import NVMeProtocol
internal import NVMeTCPProtocol

/// Sending: what the slots in the send queue have to say is gathered into batches.
extension TargetQueuePair {
  /// The vectors still to be sent of the present batch; valid until ``didSend(byteCount:)``.
  package var sendVectors: UnsafeMutableBufferPointer<IOVector> {
    UnsafeMutableBufferPointer(start: vectors + vectorHead, count: vectorCount - vectorHead)
  }

  /// True when ``buildSend()`` would find something.
  package var wantsToSend: Bool {
    unsentByteCount > 0 || connectionResponse != nil || needsTerminationRequest || (sendCount > 0 && !isTerminating)
  }

  /// Gathers the next batch, unless one is under way.
  ///
  /// - Returns: bytes to send; 0 when there is nothing.
  package mutating func buildSend() -> Int {
    if unsentByteCount > 0 { return unsentByteCount }
    vectorHead = 0
    vectorCount = 0
    stagingCount = 0
    bulkCount = 0
    if let response = connectionResponse {
      connectionResponse = nil
      response.store(to: stage(ICResponse.byteCount))
    }
    if isTerminating {
      // A batch is made of whole PDUs, so this is a boundary; what else was to be sent has lost its meaning.
      if needsTerminationRequest, let violation {
        needsTerminationRequest = false
        let request = TerminationRequest(
          sender: .controller, violation: violation, offendingHeaderByteCount: offendingHeader.count)
        let start = stage(Int(request.common.length))
        offendingHeader.withUnsafeBytes { _ = request.store(to: start, offendingHeader: $0.baseAddress!) }
      }
      return unsentByteCount
    }
    while sendCount > 0, unsentByteCount < Self.batchByteCount, hasRoom(vectors: 2, stagingByteCount: 512) {
      let index = Int(sendQueue[sendHead])
      switch slots[index].pending {
      case .readyToTransfer:
        stageReadyToTransfer(index)
      case .response:
        stageResponse(index)
        release(index)
      case .data:
        guard stageData(index) else { return unsentByteCount }
      case .nothing:
        break
      }
      sendHead += 1
      if sendHead == slotCapacity { sendHead = 0 }
      sendCount -= 1
    }
    return unsentByteCount
  }

  /// Reports that the socket has taken so many bytes.
  package mutating func didSend(byteCount: Int) {
    precondition(byteCount <= unsentByteCount)
    unsentByteCount -= byteCount
    if unsentByteCount == 0 {
      vectorHead = vectorCount
      for position in 0..<heldBufferCount {
        pool.giveBack(heldBuffers[position].buffer, heldBuffers[position].sizeClass)
      }
      heldBufferCount = 0
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

  private mutating func stageReadyToTransfer(_ index: Int) {
    let slot = slots + index
    slot.pointee.pending = .nothing
    let start = stage(ReadyToTransferHeader.byteCount + (parameters.headerDigest ? 4 : 0))
    let offset = slot.pointee.transferredByteCount
    ReadyToTransferHeader(
      commandIdentifier: slot.pointee.command.commandIdentifier, transferTag: tag(of: index), offset: offset,
      length: slot.pointee.requestedEnd - offset, parameters: parameters
    ).store(to: start)
    storeHeaderDigest(
      start, byteCount: ReadyToTransferHeader.byteCount, corrupted: slot.pointee.corruptsHeaderDigest)
  }

  private mutating func stageResponse(_ index: Int) {
    let slot = slots + index
    if hasFlowControl {
      submissionQueueHead += 1
      if submissionQueueHead >= submissionQueueSize { submissionQueueHead = 0 }
    } else {
      submissionQueueHead = 0xFFFF
    }
    slot.pointee.completion.submissionQueueHead = submissionQueueHead
    let start = stage(CapsuleResponseHeader.byteCount + (parameters.headerDigest ? 4 : 0))
    CapsuleResponseHeader(parameters: parameters).store(to: start)
    slot.pointee.completion.store(to: start + CapsuleResponseHeader.completionQueueEntryOffset)
    storeHeaderDigest(
      start, byteCount: CapsuleResponseHeader.byteCount, corrupted: slot.pointee.corruptsHeaderDigest)
  }

  /// Stages data PDUs of a slot, then its response. False when the batch has no more room and some is left.
  private mutating func stageData(_ index: Int) -> Bool {
    let slot = slots + index
    let total = slot.pointee.dataByteCount
    // A source that repeats itself never changes either, so that a digest of it holds without a copy.
    let copies = parameters.dataDigest && slot.pointee.sourcePeriod == 0
    while slot.pointee.transferredByteCount < total {
      let offset = slot.pointee.transferredByteCount
      var count = min(total - offset, configuration.maximumC2HDataLength & ~3)
      if copies {
        count = min(count, Self.maximumDigestedPDUByteCount)
        guard bulkCount + Int(count) <= Self.bulkCapacity else { return false }
      }
      let period = slot.pointee.sourcePeriod
      let pieces = period == 0 ? 1 : Int(count / period) + 2
      guard unsentByteCount < Self.batchByteCount, hasRoom(vectors: pieces + 3, stagingByteCount: 512) else {
        return false
      }
      let isLast = offset + count == total
      let isSuccess = isLast && configuration.usesSuccessFlag && !hasFlowControl
      let layout = PDULayout(type: .controllerToHostData, dataLength: Int(count), parameters: parameters)
      let start = stage(layout.dataOffset)
      C2HDataHeader(
        commandIdentifier: slot.pointee.command.commandIdentifier, dataOffset: offset, dataLength: count,
        isLast: isLast, isSuccess: isSuccess, parameters: parameters
      ).store(to: start)
      storeHeaderDigest(start, byteCount: C2HDataHeader.byteCount, corrupted: slot.pointee.corruptsHeaderDigest)
      if layout.paddingByteCount > 0 {
        (start + layout.dataOffset - layout.paddingByteCount).initializeMemory(
          as: UInt8.self, repeating: 0, count: layout.paddingByteCount)
      }
      var digest: UInt32 = 0
      let source = slot.pointee.memory!
      if copies {
        let copy = bulk! + bulkCount
        bulkCount += Int(count)
        digest = nvmeof_crc32c_copy_extend(0, copy, source + Int(offset), Int(count))
        append(copy, Int(count))
      } else if period == 0 {
        append(source + Int(offset), Int(count))
      } else {
        var left = count
        while left > 0 {
          let piece = min(left, period)
          if parameters.dataDigest { digest = nvmeof_crc32c_extend(digest, source, Int(piece)) }
          append(source, Int(piece))
          left -= piece
        }
      }
      if parameters.dataDigest {
        if slot.pointee.corruptsDataDigest { digest ^= 0x0101_0101 }
        stage(4).storeBytes(of: digest.littleEndian, as: UInt32.self)
      }
      slot.pointee.transferredByteCount = offset + count
      if isSuccess {
        finishData(index, isCopied: copies)
        return true
      }
    }
    guard hasRoom(vectors: 2, stagingByteCount: 64) else { return false }
    stageResponse(index)
    finishData(index, isCopied: copies)
    return true
  }

  private mutating func finishData(_ index: Int, isCopied: Bool) {
    // Without a copy the batch points into the slot's buffer, if it has one. There is room: each such answer has taken
    // two vectors at least.
    if let buffer = slots[index].buffer, !isCopied {
      heldBuffers[heldBufferCount] = HeldBuffer(buffer: buffer, sizeClass: slots[index].bufferClass)
      heldBufferCount += 1
      slots[index].buffer = nil
    }
    release(index)
  }

  private func hasRoom(vectors: Int, stagingByteCount: Int) -> Bool {
    vectorCount + vectors <= Self.vectorCapacity && stagingCount + stagingByteCount <= Self.stagingCapacity
  }

  private mutating func stage(_ count: Int) -> UnsafeMutableRawPointer {
    let start = staging + stagingCount
    stagingCount += count
    append(start, count)
    return start
  }

  mutating func append(_ base: UnsafeMutableRawPointer, _ count: Int) {
    unsentByteCount += count
    if vectorCount > 0, let last = vectors[vectorCount - 1].base, last + vectors[vectorCount - 1].count == base {
      (vectors + (vectorCount - 1)).pointee.count += count
      return
    }
    vectors[vectorCount] = IOVector(base: base, count: count)
    vectorCount += 1
  }

  private func storeHeaderDigest(_ start: UnsafeMutableRawPointer, byteCount: Int, corrupted: Bool) {
    guard parameters.headerDigest else { return }
    let digest = nvmeof_crc32c_extend(0, start, byteCount) ^ (corrupted ? 0x0101_0101 : 0)
    (start + byteCount).storeBytes(of: digest.littleEndian, as: UInt32.self)
  }
}
