public import RingReactor

/// What has been done through one channel of a device.
public struct BlockChannelStatistics: Sendable {
  /// Where the channel lives.
  public var reactor: ReactorHandle
  public var statistics: BlockStatistics
}
