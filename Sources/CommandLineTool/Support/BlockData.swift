import BlockDevice
import ToolSupport

/// The data that `write` sends and `compare` holds blocks against: a file's, of as many blocks as are asked for, or all of
/// it.
struct BlockData: ~Copyable {
  static let maximumByteCount = 1 << 30

  private let file: LocalFile
  private let blocks: BlockRangeOptions
  /// nil where a number of blocks is given: how much that is only the device knows.
  private let all: [UInt8]?

  /// Opens the file; before anything is connected, because nothing is for one that is not there.
  init(path: String, blocks: BlockRangeOptions) throws {
    let file = try LocalFile(reading: path)
    all = blocks.isCounted ? nil : try Self.read(file, atMost: UInt64(Self.maximumByteCount) + 1)
    self.file = file
    self.blocks = blocks
  }

  private static func read(_ file: borrowing LocalFile, atMost byteCount: UInt64) throws -> [UInt8] {
    let bytes = try file.read(limit: Int(min(byteCount, UInt64(maximumByteCount) + 1)))
    guard bytes.count <= maximumByteCount else {
      throw ToolError.usage("up to 1 GiB of data can be taken at once; for more there is \"nvmeof copy\"")
    }
    return bytes
  }

  /// The data for the device, which fills whole blocks of it.
  private func bytes(for device: any BlockDevice) throws -> [UInt8] {
    let geometry = device.geometry
    let size = UInt64(geometry.blockByteCount)
    if let wanted = try blocks.blockCount(geometry) {
      try blocks.check(wanted, geometry, name: device.name)
      let bytes = try Self.read(file, atMost: wanted * size)
      guard bytes.count == wanted * size else {
        throw ToolError.usage("\(wanted) blocks of \(size) bytes are asked for, but the data has \(bytes.count) bytes")
      }
      return bytes
    }
    let bytes = all ?? []
    guard !bytes.isEmpty else { throw ToolError.usage("there is no data") }
    guard UInt64(bytes.count) % size == 0 else {
      throw ToolError.usage("the data has \(bytes.count) bytes, which do not fill whole blocks of \(size) bytes")
    }
    try blocks.check(UInt64(bytes.count) / size, geometry, name: device.name)
    return bytes
  }

  /// Calls `body` with each piece of the data and the block that it begins at, in order; the memory is valid during the
  /// call.
  func forEachPiece(
    of device: any BlockDevice,
    _ body: (_ start: UInt64, _ bytes: UnsafeMutableRawBufferPointer) async throws(BlockError) -> Void
  ) async throws {
    let bytes = try bytes(for: device)
    let size = Int(device.geometry.blockByteCount)
    let first = blocks.startBlock.value
    try await BlockRangeOptions.forEachPiece(start: first, count: UInt64(bytes.count / size), device.geometry) {
      start, count in
      let buffer = CopyBuffer(byteCount: Int(count) * size)
      let offset = Int(start - first) * size
      buffer.bytes.copyBytes(from: bytes[offset..<offset + buffer.bytes.count])
      do throws(BlockError) { try await body(start, buffer.bytes) } catch { throw ToolError(error) }
    }
  }
}
