internal import BlockDevice

/// A place for one request of the application: its memory, between guards, is poisoned while it is not lent.
final class WireRequest {
  static let blockCapacity = 32
  private static let guardByteCount = 64

  private(set) var isOpen = false
  private(set) var isWrite = false
  private(set) var block = 0
  private(set) var blockCount = 0
  private(set) var value: UInt64 = 0
  private(set) var issued: UInt64 = 0
  private let memory: UnsafeMutableRawPointer
  private let vectors: UnsafeMutablePointer<IOVector>

  private static let byteCount = blockCapacity * SimulatedStore.blockByteCount
  private var data: UnsafeMutableRawPointer { memory + Self.guardByteCount }

  init() {
    let total = Self.byteCount + 2 * Self.guardByteCount
    memory = .allocate(byteCount: total, alignment: 64)
    vectors = .allocate(capacity: 8)
    poison(0..<total)
  }

  deinit {
    memory.deallocate()
    vectors.deallocate()
  }

  var addresses: Range<UInt> { UInt(bitPattern: data)..<UInt(bitPattern: data + Self.byteCount) }
  var lentAddresses: Range<UInt> {
    let byteCount = isOpen ? blockCount * SimulatedStore.blockByteCount : 0
    return UInt(bitPattern: data)..<UInt(bitPattern: data + byteCount)
  }
  var blocks: Range<Int> { block..<block + blockCount }

  private func poison(_ bytes: Range<Int>) {
    for offset in stride(from: bytes.lowerBound, to: bytes.upperBound, by: 8) {
      memory.storeBytes(of: SimulatedStore.poison, toByteOffset: offset, as: UInt64.self)
    }
  }

  private func isPoison(_ bytes: Range<Int>) -> Bool {
    for offset in stride(from: bytes.lowerBound, to: bytes.upperBound, by: 8)
    where memory.load(fromByteOffset: offset, as: UInt64.self) != SimulatedStore.poison { return false }
    return true
  }

  /// Whether nobody has touched what is not lent.
  var isUntouched: Bool {
    let end = Self.guardByteCount + blockCount * SimulatedStore.blockByteCount
    let total = Self.byteCount + 2 * Self.guardByteCount
    return isOpen
      ? isPoison(0..<Self.guardByteCount) && isPoison(end..<total) : isPoison(0..<total)
  }

  /// Lends the memory for a new request.
  ///
  /// - Parameter pieceByteCount: where not 0, the memory is given in pieces of so many bytes.
  func open(
    isWrite: Bool, blocks: Range<Int>, value: UInt64, now: UInt64, pieceByteCount: Int, token: UInt64
  ) -> BlockRequest {
    self.isWrite = isWrite
    self.value = value
    block = blocks.lowerBound
    blockCount = blocks.count
    issued = now
    isOpen = true
    if isWrite {
      for index in 0..<blockCount {
        SimulatedStore.fill(data + index * SimulatedStore.blockByteCount, value, block: block + index)
      }
    }
    let byteCount = blockCount * SimulatedStore.blockByteCount
    let operation: BlockOperation = isWrite ? .write : .read
    guard pieceByteCount > 0 else {
      return BlockRequest(
        operation, logicalBlockAddress: UInt64(block), blockCount: UInt32(blockCount),
        buffer: UnsafeMutableRawBufferPointer(start: data, count: byteCount), token: token)
    }
    var (count, offset) = (0, 0)
    while offset < byteCount {
      let length = count == 7 ? byteCount - offset : min(pieceByteCount, byteCount - offset)
      (vectors + count).initialize(to: IOVector(base: data + offset, count: length))
      offset += length
      count += 1
    }
    return BlockRequest(
      operation, logicalBlockAddress: UInt64(block), blockCount: UInt32(blockCount),
      vectors: UnsafeBufferPointer(start: vectors, count: count), token: token)
  }

  /// The numbers in the memory's blocks; nil for a block that is not of one piece.
  var values: [UInt64?] {
    (0..<blockCount).map { SimulatedStore.value(data + $0 * SimulatedStore.blockByteCount, block: block + $0) }
  }

  /// Takes the memory back.
  func close() {
    isOpen = false
    poison(Self.guardByteCount..<Self.guardByteCount + blockCount * SimulatedStore.blockByteCount)
  }
}
