import NVMeProtocol

/// A command's memory in pieces of given lengths, each between guard bytes that nobody may touch.
final class HostQueuePairMemory {
  static let guardByteCount = 64
  private static let guardByte: UInt8 = 0xA5

  let vectors: UnsafeMutableBufferPointer<IOVector>
  let byteCount: Int
  private let blocks: [UnsafeMutableRawBufferPointer]

  init(pieces: [Int]) {
    byteCount = pieces.reduce(0, +)
    vectors = .allocate(capacity: max(1, pieces.count))
    vectors.initialize(repeating: IOVector(base: nil, count: 0))
    blocks = pieces.map { count in
      let block = UnsafeMutableRawBufferPointer.allocate(byteCount: count + 2 * Self.guardByteCount, alignment: 1)
      block.initializeMemory(as: UInt8.self, repeating: Self.guardByte)
      return block
    }
    for (index, count) in pieces.enumerated() {
      vectors[index] = IOVector(base: count > 0 ? blocks[index].baseAddress! + Self.guardByteCount : nil, count: count)
    }
    content = [UInt8](repeating: 0, count: byteCount)
  }

  convenience init(content: [UInt8], pieces: [Int]? = nil) {
    self.init(pieces: pieces ?? [content.count])
    self.content = content
  }

  deinit {
    for block in blocks { block.deallocate() }
    vectors.deallocate()
  }

  /// A part of it, or all.
  func segments(from offset: Int = 0, count: Int? = nil) -> DataSegments {
    DataSegments(
      vectors: UnsafePointer(vectors.baseAddress!), vectorCount: Int32(blocks.count), byteOffset: UInt32(offset),
      byteCount: UInt32(count ?? byteCount - offset))
  }

  var content: [UInt8] {
    get { vectors.flatMap { [UInt8](UnsafeRawBufferPointer(start: $0.base, count: $0.count)) } }
    set {
      var rest = newValue[...]
      for vector in vectors {
        UnsafeMutableRawBufferPointer(start: vector.base, count: vector.count).copyBytes(
          from: rest.prefix(vector.count))
        rest = rest.dropFirst(vector.count)
      }
    }
  }

  /// True while no byte outside of the pieces has been written.
  var isGuardIntact: Bool {
    blocks.allSatisfy { block in
      block.prefix(Self.guardByteCount).allSatisfy { $0 == Self.guardByte }
        && block.suffix(Self.guardByteCount).allSatisfy { $0 == Self.guardByte }
    }
  }
}
