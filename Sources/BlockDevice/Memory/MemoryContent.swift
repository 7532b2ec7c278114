internal import Glibc
internal import RingReactor

/// What a ``MemoryBlockDevice`` and its channels share: the memory, and its shape.
final class MemoryContent: Sendable {
  static let capabilities: BlockCapabilities = [.write, .discard, .writeZeroes, .compare, .verify, .forceUnitAccess]
  let geometry: BlockGeometry
  private let region: MemoryRegion

  /// - Throws: ``RingError`` when there is not so much address space.
  init(_ geometry: BlockGeometry) throws(RingError) {
    self.geometry = geometry
    guard geometry.byteCount <= UInt64(Int.max), geometry.byteCount > 0 else {
      throw .systemCall(name: "mmap of \(geometry.blockCount) blocks", errno: ENOMEM)
    }
    region = try MemoryRegion(byteCount: Int(geometry.byteCount))
  }

  /// Carries a validated request out; false when a comparison finds a difference.
  func carryOut(_ request: BlockRequest) -> Bool {
    let blockByteCount = Int(geometry.blockByteCount)
    guard request.operation != .flush, request.operation != .verify else { return true }
    let offset = Int(request.logicalBlockAddress) * blockByteCount
    guard request.operation.hasData else {
      region.zero(offset: offset, byteCount: Int(request.blockCount) * blockByteCount)
      return true
    }
    var position = region.base + offset
    var isEqual = true
    request.forEachPiece { base, count in
      switch request.operation {
      case .read: memcpy(base, position, count)
      case .write: memcpy(position, base, count)
      default: isEqual = isEqual && memcmp(base, position, count) == 0
      }
      position += count
    }
    return isEqual
  }
}
