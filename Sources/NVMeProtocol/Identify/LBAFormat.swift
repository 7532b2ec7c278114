/// An LBA format, 4 bytes of Identify Namespace (NVM Command Set 1.1).
public struct LBAFormat: Hashable, Sendable {
  /// MS: metadata bytes per block.
  public var metadataBytes: UInt16
  /// LBADS: block size as an exponent of two; below 9 the format is not available.
  public var dataSizeExponent: UInt8
  /// RP: 0 best, 1 better, 2 good, 3 degraded.
  public var relativePerformance: UInt8

  public init(metadataBytes: UInt16 = 0, dataSizeExponent: UInt8 = 0, relativePerformance: UInt8 = 0) {
    self.metadataBytes = metadataBytes
    self.dataSizeExponent = dataSizeExponent
    self.relativePerformance = relativePerformance & 0b11
  }

  init(rawValue: UInt32) {
    self.init(
      metadataBytes: UInt16(truncatingIfNeeded: rawValue), dataSizeExponent: UInt8(truncatingIfNeeded: rawValue >> 16),
      relativePerformance: UInt8(truncatingIfNeeded: rawValue >> 24))
  }

  var rawValue: UInt32 {
    UInt32(metadataBytes) | UInt32(dataSizeExponent) << 16 | UInt32(relativePerformance) << 24
  }

  /// The largest LBADS we accept: blocks of 1 GiB. Larger ones are possible on the wire but make no sense.
  public static let maximumDataSizeExponent: UInt8 = 30

  /// Bytes of data in a block; nil if the format is not available or LBADS is out of range (9 to 30).
  public var dataBytes: Int? {
    (9...Self.maximumDataSizeExponent).contains(dataSizeExponent) ? 1 << Int(dataSizeExponent) : nil
  }
}
