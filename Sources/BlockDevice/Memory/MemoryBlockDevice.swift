internal import Glibc
public import RingReactor

/// A block device in this process's memory, zero at first; pages that have never been written cost nothing.
///
/// For tests and tools. Requests are carried out within ``BlockChannel/submit(_:)``.
public final class MemoryBlockDevice: BlockDevice {
  public let name: String
  public let geometry: BlockGeometry
  public let capabilities: BlockCapabilities = [
    .write, .discard, .writeZeroes, .compare, .verify, .forceUnitAccess,
  ]
  public let asyncFace: AsyncFace
  public var reactor: ReactorHandle { asyncFace.reactor }
  private let region: MemoryRegion

  /// - Parameters:
  ///   - blockByteCount: a power of two, 512...65536.
  ///   - reactor: for the `async` face.
  /// - Throws: ``RingError`` when there is not so much address space.
  public init(
    name: String = "memory", blockByteCount: UInt32 = 4096, blockCount: UInt64, reactor: ReactorHandle
  ) throws(RingError) {
    precondition(
      blockByteCount.nonzeroBitCount == 1 && (512...65_536).contains(blockByteCount),
      "a block size is a power of two from 512 to 65536")
    self.name = name
    geometry = BlockGeometry(blockByteCount: blockByteCount, blockCount: blockCount)
    asyncFace = AsyncFace(reactor: reactor)
    guard geometry.byteCount <= UInt64(Int.max), geometry.byteCount > 0 else {
      throw .systemCall(name: "mmap of \(blockCount) blocks", errno: ENOMEM)
    }
    region = try MemoryRegion(byteCount: Int(geometry.byteCount))
  }

  public func openChannel(on reactor: Reactor, queueDepth: Int) throws(BlockRefusal) -> BlockChannel {
    MemoryChannel(reactor: reactor, queueDepth: queueDepth, device: self)
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
