internal import CCRC32C
public import NVMeProtocol

/// Placing: data that is received goes to the memory of its command, by a copy or directly.
extension HostQueuePair {
  mutating func take(_ piece: UnsafeRawPointer, _ count: Int) {
    let slot = slots + receivingSlot
    let offset = Int(slot.pointee.transferredByteCount)
    let hasDigest = receiver.common.flags.contains(.dataDigest)
    if let base = slot.pointee.contiguous {
      if hasDigest {
        receiver.digest = nvmeof_crc32c_copy_extend(receiver.digest, base + offset, piece, count)
      } else {
        (base + offset).copyMemory(from: piece, byteCount: count)
      }
    } else {
      var source = piece
      var digest = receiver.digest
      slot.pointee.data.forEachPiece(offset: offset, count: count) { base, length in
        if hasDigest {
          digest = nvmeof_crc32c_copy_extend(digest, base, source, length)
        } else {
          base.copyMemory(from: source, byteCount: length)
        }
        source += length
      }
      receiver.digest = digest
    }
    slot.pointee.transferredByteCount += UInt32(count)
  }

  /// Payload bytes of the PDU being received that are still to come.
  public var remainingPayloadByteCount: Int { receiver.remainingPayloadByteCount }

  /// Where the rest of the payload that is being received belongs, so that it can be received there directly.
  ///
  /// - Parameters:
  ///   - minimumByteCount: less than this is not worth the trouble, and gives 0.
  ///   - vectors: filled with at most `capacity` vectors.
  /// - Returns: how many vectors were filled, and how many bytes they cover.
  public func directReceiveVectors(
    into vectors: UnsafeMutablePointer<IOVector>, capacity: Int, minimumByteCount: Int
  ) -> (vectorCount: Int, byteCount: Int) {
    let remaining = receiver.remainingPayloadByteCount
    guard state == .ready, remaining >= minimumByteCount, remaining > 0, capacity > 0 else { return (0, 0) }
    let slot = slots + receivingSlot
    let offset = Int(slot.pointee.transferredByteCount)
    if let base = slot.pointee.contiguous {
      vectors[0] = IOVector(base: base + offset, count: remaining)
      return (1, remaining)
    }
    var count = 0
    var covered = 0
    slot.pointee.data.forEachPiece(offset: offset, count: remaining) { base, length in
      guard count < capacity else { return }
      vectors[count] = IOVector(base: base, count: length)
      count += 1
      covered += length
    }
    return (count, covered)
  }

  /// Reports that so many bytes were received into what ``directReceiveVectors(into:capacity:minimumByteCount:)``
  /// named.
  public mutating func didReceiveDirectly(byteCount: Int) {
    let slot = slots + receivingSlot
    let offset = Int(slot.pointee.transferredByteCount)
    if receiver.common.flags.contains(.dataDigest) {
      var digest = receiver.digest
      slot.pointee.data.forEachPiece(offset: offset, count: byteCount) { base, length in
        digest = nvmeof_crc32c_extend(digest, base, length)
      }
      receiver.digest = digest
    }
    slot.pointee.transferredByteCount += UInt32(byteCount)
    receiver.skipPayload(count: byteCount)
  }
}
