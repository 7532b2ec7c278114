/// One I/O as a job hands it to its channel. The buffer belongs to the job and is lent until the completion.
@frozen public struct ChannelCommand {
  public var operation: ChannelOperation
  public var forceUnitAccess: Bool
  /// Comes back with the completion.
  public var token: UInt32
  public var byteCount: UInt32
  /// From the start of the device, in bytes.
  public var offset: UInt64
  /// Of `byteCount` bytes for reads and writes.
  public var buffer: UnsafeMutableRawPointer
}
