/// One range of a Dataset Management command, 16 bytes (NVM Command Set 1.1, section 3.3.3).
@frozen
public struct DatasetManagementRange: Hashable, Sendable, BitwiseCopyable {
  /// CATTR
  public var contextAttributes: UInt32
  /// LLB: not zeroes based.
  public var blockCount: UInt32
  /// SLBA
  public var startingLBA: UInt64

  @inlinable
  public static var byteCount: Int { 16 }
  /// The most ranges in one command.
  @inlinable
  public static var maximumCount: Int { 256 }

  @inlinable
  public init(startingLBA: UInt64, blockCount: UInt32, contextAttributes: UInt32 = 0) {
    self.contextAttributes = contextAttributes
    self.blockCount = blockCount
    self.startingLBA = startingLBA
  }

  /// Reads 16 bytes; the caller guarantees them.
  @inlinable
  public init(loading pointer: UnsafeRawPointer) {
    contextAttributes = pointer.loadLittleEndian(0)
    blockCount = pointer.loadLittleEndian(4)
    startingLBA = pointer.loadLittleEndian(8)
  }

  /// Writes 16 bytes; the caller guarantees the room.
  @inlinable
  public func store(to pointer: UnsafeMutableRawPointer) {
    pointer.storeLittleEndian(contextAttributes, 0)
    pointer.storeLittleEndian(blockCount, 4)
    pointer.storeLittleEndian(startingLBA, 8)
  }

  /// The data of a Dataset Management command.
  public static func encode(_ ranges: [DatasetManagementRange]) -> [UInt8] {
    var bytes = [UInt8](repeating: 0, count: ranges.count * byteCount)
    bytes.withUnsafeMutableBytes { buffer in
      for (index, range) in ranges.enumerated() { range.store(to: buffer.baseAddress! + index * byteCount) }
    }
    return bytes
  }

  /// - Parameter count: ranges to read: NR + 1 of the command.
  /// - Throws: `DecodingError` if `count` is not 1 to 256 or the bytes are too few.
  public static func decode(_ bytes: RawSpan, count: Int) throws(DecodingError) -> [DatasetManagementRange] {
    guard (1...maximumCount).contains(count) else {
      throw DecodingError(
        structure: "Dataset Management ranges", offset: 0,
        reason: .countOutOfRange(count: UInt64(max(count, 0)), limit: UInt64(maximumCount)))
    }
    try bytes.require(count * byteCount, of: "Dataset Management ranges")
    return bytes.withUnsafeBytes { buffer in
      (0..<count).map { DatasetManagementRange(loading: buffer.baseAddress! + $0 * byteCount) }
    }
  }
}
