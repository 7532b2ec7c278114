public import RingReactor

/// A block device in this process's memory, zero at first; pages that have never been written cost nothing.
///
/// For tests and tools. Requests are carried out within ``BlockChannel/submit(_:)``.
public final class MemoryBlockDevice: BlockDevice {
  public let name: String
  public var geometry: BlockGeometry { content.geometry }
  public var capabilities: BlockCapabilities { MemoryContent.capabilities }
  public let asyncFace: AsyncFace
  public var reactor: ReactorHandle { asyncFace.reactor }
  private let content: MemoryContent

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
    asyncFace = AsyncFace(reactor: reactor)
    content = try MemoryContent(BlockGeometry(blockByteCount: blockByteCount, blockCount: blockCount))
  }

  public func openChannel(on reactor: Reactor, queueDepth: Int) throws(BlockRefusal) -> BlockChannel {
    let channel = MemoryChannel(reactor: reactor, queueDepth: queueDepth, content: content)
    channel.keep(self)
    return channel
  }
}
