/// A block device's size and the limits of one request.
@frozen public struct BlockGeometry: Sendable, Hashable {
  /// Bytes in a logical block, a power of two from 512 on.
  public var blockByteCount: UInt32
  /// Logical blocks on the device.
  public var blockCount: UInt64
  /// Largest request with data, in bytes. It may be split on its way; this is what one request may ask for.
  public var maximumRequestByteCount: UInt32
  /// Requests that do not cross multiples of this many blocks are carried out best; 0 = no such boundary. Requests that
  /// do are split there.
  public var optimalBoundaryBlockCount: UInt32
  /// Largest piece that goes to the device at once, in bytes (NVMe: MDTS); 0 = no limit.
  public var maximumTransferByteCount: UInt32

  @inlinable public init(
    blockByteCount: UInt32, blockCount: UInt64, maximumRequestByteCount: UInt32 = 1 << 30,
    optimalBoundaryBlockCount: UInt32 = 0, maximumTransferByteCount: UInt32 = 0
  ) {
    self.blockByteCount = blockByteCount
    self.blockCount = blockCount
    self.maximumRequestByteCount = maximumRequestByteCount
    self.optimalBoundaryBlockCount = optimalBoundaryBlockCount
    self.maximumTransferByteCount = maximumTransferByteCount
  }

  /// The device's size in bytes; saturates at the largest UInt64.
  @inlinable public var byteCount: UInt64 {
    let (bytes, overflow) = blockCount.multipliedReportingOverflow(by: UInt64(blockByteCount))
    return overflow ? .max : bytes
  }
}
