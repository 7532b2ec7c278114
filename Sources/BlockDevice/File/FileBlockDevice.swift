public import RingReactor

/// A block device in a file, or another block device's special file, through the ring.
public final class FileBlockDevice: BlockDevice {
  public let name: String
  public let geometry: BlockGeometry
  public let capabilities: BlockCapabilities
  public let asyncFace: AsyncFace
  public var reactor: ReactorHandle { asyncFace.reactor }
  /// Bytes at the file's end that are less than a block, and no part of the device.
  public let unservedByteCount: UInt64
  package let file: RingFile

  /// Opens a file as a block device; a rest shorter than a block at its end is left alone. May block.
  ///
  /// - Parameters:
  ///   - creatingByteCount: the file's size: one that is not there, or empty, is made with it, sparse, if it is to be
  ///     written; one of another size is refused.
  ///   - reactor: for the `async` face.
  /// - Throws: ``RingError`` naming the system call, or what is wrong with the file.
  public init(
    path: String, blockByteCount: UInt32 = 4096, isWritable: Bool = true, creatingByteCount: UInt64? = nil,
    reactor: ReactorHandle
  ) throws(RingError) {
    precondition(
      blockByteCount.nonzeroBitCount == 1 && (512...65_536).contains(blockByteCount),
      "a block size is a power of two from 512 to 65536")
    file = try RingFile(path: path, writable: isWritable, creatingByteCount: creatingByteCount)
    guard file.byteCount >= blockByteCount else {
      throw .unusableFile(path: path, problem: "has \(file.byteCount) bytes, less than a block of \(blockByteCount)")
    }
    name = path
    geometry = BlockGeometry(blockByteCount: blockByteCount, blockCount: file.byteCount / UInt64(blockByteCount))
    unservedByteCount = file.byteCount % UInt64(blockByteCount)
    capabilities =
      isWritable ? [.write, .volatileWriteCache, .discard, .writeZeroes, .forceUnitAccess] : []
    asyncFace = AsyncFace(reactor: reactor)
  }

  public func openChannel(on reactor: Reactor, queueDepth: Int) throws(BlockRefusal) -> BlockChannel {
    let channel = FileChannel(
      reactor: reactor, queueDepth: queueDepth, file: file, geometry: geometry, capabilities: capabilities)
    channel.keep(self)
    return channel
  }
}
