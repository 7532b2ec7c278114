/// A request that is complete and within the export's limits, on its way to the device.
public struct NBDRequest: @unchecked Sendable {
  /// By which ``NBDTransmission/complete(_:_:)`` knows it.
  public var index: UInt16
  public var operation: NBDOperation
  /// To be reported as done when it is on stable media.
  public var isForceUnitAccess: Bool
  /// Of write zeroes: the range stays allocated.
  public var isNoHole: Bool
  /// Of write zeroes: to fail rather than to take as long as a write.
  public var isFastZero: Bool
  /// In bytes, multiples of the minimum block size; of a read the blocks around what was asked for.
  public var offset: UInt64
  public var byteCount: UInt64
  /// The data of a read or write, `byteCount` bytes, lent until the request is completed; empty for others.
  public var memory: UnsafeMutableRawBufferPointer
}
