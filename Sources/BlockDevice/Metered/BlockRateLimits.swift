/// How much a block device takes a second. 0 = no limit.
public struct BlockRateLimits: Sendable, Hashable {
  /// Reads and writes together.
  public var operationsPerSecond: UInt64
  /// Of reads and writes together.
  public var bytesPerSecond: UInt64
  public var readBytesPerSecond: UInt64
  public var writeBytesPerSecond: UInt64

  public init(
    operationsPerSecond: UInt64 = 0, bytesPerSecond: UInt64 = 0, readBytesPerSecond: UInt64 = 0,
    writeBytesPerSecond: UInt64 = 0
  ) {
    self.operationsPerSecond = operationsPerSecond
    self.bytesPerSecond = bytesPerSecond
    self.readBytesPerSecond = readBytesPerSecond
    self.writeBytesPerSecond = writeBytesPerSecond
  }

  public static let none = BlockRateLimits()
}
