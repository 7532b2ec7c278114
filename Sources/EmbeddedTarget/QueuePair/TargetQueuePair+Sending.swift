internal import CCRC32C
package import NVMeProtocol
internal import NVMeTCPProtocol

/// Sending: what the slots in the send queue have to say is gathered into batches.
extension TargetQueuePair {
  /// The vectors still to be sent of the present batch; valid until ``didSend(byteCount:)``.
  package var sendVectors: UnsafeMutableBufferPointer<IOVector> {
    batch.unsentVectors
  }

  /// Bytes of the present batch that have not been sent: it may point into memory of commands that have ended.
  package var unsentByteCount: Int { batch.unsentByteCount }

  /// True when ``buildSend()`` would find something.
  package var wantsToSend: Bool {
    batch.unsentByteCount > 0 || connectionResponse != nil || needsTerminationRequest
      || (!sendQueue.isEmpty && !isTerminating)
  }

  /// Gathers the next batch, unless one is under way.
  ///
  /// - Returns: bytes to send; 0 when there is nothing.
  package mutating func buildSend() -> Int {
    if batch.unsentByteCount > 0 { return batch.unsentByteCount }
    batch.removeAll()
    bulkCount = 0
    if let response = connectionResponse {
      connectionResponse = nil
      response.store(to: batch.stage(ICResponse.byteCount))
    }
    if isTerminating {
      // A batch is made of whole PDUs, so this is a boundary; what else was to be sent has lost its meaning.
      if needsTerminationRequest, let violation {
        needsTerminationRequest = false
        let request = TerminationRequest(
          sender: .controller, violation: violation, offendingHeaderByteCount: offendingHeader.count)
        let start = batch.stage(Int(request.common.length))
        offendingHeader.withUnsafeBytes { _ = request.store(to: start, offendingHeader: $0.baseAddress!) }
      }
      return batch.unsentByteCount
    }
    while batch.unsentByteCount < Self.batchByteCount, batch.hasRoom(vectors: 2, stagingByteCount: 512),
      let first = sendQueue.first
    {
      let index = Int(first)
      switch slots[index].pending {
      case .readyToTransfer:
        stageReadyToTransfer(index)
      case .response:
        stageResponse(index)
        release(index)
      case .data:
        guard stageData(index) else { return batch.unsentByteCount }
      case .nothing:
        break
      }
      _ = sendQueue.popFirst()
    }
    return batch.unsentByteCount
  }

  /// Reports that the socket has taken so many bytes.
  package mutating func didSend(byteCount: Int) {
    guard batch.didSend(byteCount: byteCount) else { return }
    for position in 0..<heldBufferCount {
      giveBack(heldBuffers[position].buffer, heldBuffers[position].sizeClass)
    }
    heldBufferCount = 0
  }

  private mutating func stageReadyToTransfer(_ index: Int) {
    let slot = slots + index
    slot.pointee.pending = .nothing
    let start = batch.stage(ReadyToTransferHeader.byteCount + (parameters.headerDigest ? 4 : 0))
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
    let start = batch.stage(CapsuleResponseHeader.byteCount + (parameters.headerDigest ? 4 : 0))
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
      guard batch.unsentByteCount < Self.batchByteCount, batch.hasRoom(vectors: pieces + 3, stagingByteCount: 512)
      else { return false }
      let isLast = offset + count == total
      let isSuccess = isLast && configuration.usesSuccessFlag && !hasFlowControl
      let layout = PDULayout(type: .controllerToHostData, dataLength: Int(count), parameters: parameters)
      let start = batch.stage(layout.dataOffset)
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
        batch.append(copy, Int(count))
      } else if period == 0 {
        batch.append(source + Int(offset), Int(count))
      } else {
        var left = count
        while left > 0 {
          let piece = min(left, period)
          if parameters.dataDigest { digest = nvmeof_crc32c_extend(digest, source, Int(piece)) }
          batch.append(source, Int(piece))
          left -= piece
        }
      }
      if parameters.dataDigest {
        if slot.pointee.corruptsDataDigest { digest ^= 0x0101_0101 }
        batch.stage(4).storeBytes(of: digest.littleEndian, as: UInt32.self)
      }
      slot.pointee.transferredByteCount = offset + count
      if isSuccess {
        finishData(index, isCopied: copies)
        return true
      }
    }
    guard batch.hasRoom(vectors: 2, stagingByteCount: 64) else { return false }
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

  private func storeHeaderDigest(_ start: UnsafeMutableRawPointer, byteCount: Int, corrupted: Bool) {
    guard parameters.headerDigest else { return }
    let digest = nvmeof_crc32c_extend(0, start, byteCount) ^ (corrupted ? 0x0101_0101 : 0)
    (start + byteCount).storeBytes(of: digest.littleEndian, as: UInt32.self)
  }
}
