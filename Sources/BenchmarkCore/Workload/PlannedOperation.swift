/// The next I/O of a workload.
@frozen public struct PlannedOperation: Sendable, Equatable {
  public var direction: DataDirection
  /// From the start of the device, in bytes.
  public var offset: UInt64
  public var byteCount: UInt32

  public init(direction: DataDirection, offset: UInt64, byteCount: UInt32) {
    self.direction = direction
    self.offset = offset
    self.byteCount = byteCount
  }
}
