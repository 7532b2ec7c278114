public import BlockDevice

/// An export's size, and what a request may be.
public struct ExportLimits: Sendable, Hashable {
  /// Bytes in a block: what offsets and lengths of writes are multiples of. A power of two, 512...65536.
  public var blockByteCount: UInt32
  public var blockCount: UInt64
  /// Requests that are multiples of this are carried out best: a power of two, at least one block.
  public var preferredByteCount: UInt32
  /// Largest data of one request; a multiple of the block size.
  public var maximumTransferByteCount: UInt32
  /// What clients may do: the device's capabilities, less those that change it where the export is read-only.
  public var capabilities: BlockCapabilities

  public init(geometry: BlockGeometry, capabilities: BlockCapabilities, configuration: ExportConfiguration) {
    blockByteCount = geometry.blockByteCount
    blockCount = geometry.blockCount
    preferredByteCount = max(4096, geometry.blockByteCount)
    let limit = min(configuration.maximumTransferByteCount, geometry.maximumRequestByteCount)
    maximumTransferByteCount = max(preferredByteCount, limit / geometry.blockByteCount * geometry.blockByteCount)
    self.capabilities = capabilities
    if configuration.isReadOnly { self.capabilities.subtract([.write, .discard, .writeZeroes]) }
  }

  /// Saturates at the largest UInt64.
  public var byteCount: UInt64 {
    let (bytes, overflow) = blockCount.multipliedReportingOverflow(by: UInt64(blockByteCount))
    return overflow ? .max : bytes
  }
  public var isReadOnly: Bool { !capabilities.contains(.write) }
}
