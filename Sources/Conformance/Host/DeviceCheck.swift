internal import BlockDevice

/// What cases do with a device again and again.
struct DeviceCheck: Sendable {
  let device: any BlockDevice
  let blockByteCount: Int
  let blockCount: UInt64

  init(_ device: any BlockDevice) {
    self.device = device
    let geometry = device.geometry
    blockByteCount = Int(geometry.blockByteCount)
    blockCount = geometry.blockCount
  }

  /// Writes `count` blocks of seeded content at `address`, reads them back and compares, and looks whether the blocks on
  /// either side are still what they were.
  /// - Parameter pieces: lengths of the pieces of memory, in bytes; the last one takes the rest. None: one piece.
  func writeAndVerify(at address: UInt64, count: Int, seed: UInt64, pieces: [Int] = []) async throws {
    let hasBefore = address > 0
    let hasAfter = address + UInt64(count) < blockCount
    let guardBlock = Buffer(byteCount: blockByteCount)
    guardBlock.fill(seed: ~seed)
    if hasBefore { try await write(guardBlock, at: address - 1) }
    if hasAfter { try await write(guardBlock, at: address + UInt64(count)) }

    let written = Buffer(byteCount: count * blockByteCount)
    written.fill(seed: seed)
    try await transfer(.write, written, at: address, pieces: pieces)
    let read = Buffer(byteCount: count * blockByteCount)
    try await transfer(.read, read, at: address, pieces: pieces.reversed())
    if !read.isEqual(to: written) {
      let place = read.firstDifference(from: written) ?? -1
      throw ConformanceFailure(
        "\(count) blocks at \(address) of \(device.name) read back differently from byte \(place)")
    }
    for neighbour in [hasBefore ? address - 1 : nil, hasAfter ? address + UInt64(count) : nil] {
      guard let neighbour else { continue }
      let block = Buffer(byteCount: blockByteCount)
      try await self.read(block, at: neighbour)
      try expect(
        block.isEqual(to: guardBlock), "block \(neighbour) of \(device.name), beside the written ones, was changed")
    }
  }

  func write(_ buffer: Buffer, at address: UInt64) async throws {
    try await device.write(at: address, from: UnsafeRawBufferPointer(buffer.bytes))
  }

  func read(_ buffer: Buffer, at address: UInt64) async throws {
    try await device.read(at: address, into: buffer.bytes)
  }

  private func transfer(
    _ operation: BlockOperation, _ buffer: Buffer, at address: UInt64, pieces: [Int]
  ) async throws {
    let blocks = UInt32(buffer.bytes.count / blockByteCount)
    if pieces.isEmpty {
      try await device.perform(
        BlockRequest(operation, logicalBlockAddress: address, blockCount: blocks, buffer: buffer.bytes))
      return
    }
    let vectors = Vectors(buffer, pieces: pieces)
    try await device.perform(
      BlockRequest(operation, logicalBlockAddress: address, blockCount: blocks, vectors: vectors.all))
    withExtendedLifetime(vectors) {}
  }

  /// A buffer cut in pieces.
  private final class Vectors: @unchecked Sendable {
    private let memory: UnsafeMutableBufferPointer<IOVector>

    var all: UnsafeBufferPointer<IOVector> { UnsafeBufferPointer(memory) }

    init(_ buffer: Buffer, pieces: [Int]) {
      var list: [IOVector] = []
      var offset = 0
      for piece in pieces {
        let count = min(piece, buffer.bytes.count - offset)
        list.append(IOVector(base: buffer.bytes.baseAddress! + offset, count: count))
        offset += count
      }
      if offset < buffer.bytes.count {
        list.append(IOVector(base: buffer.bytes.baseAddress! + offset, count: buffer.bytes.count - offset))
      }
      memory = .allocate(capacity: list.count)
      _ = memory.initialize(from: list)
    }

    deinit { memory.deallocate() }
  }
}
