/// What differs between two readings of one service's discovery log.
public struct DiscoveryLogChange: Sendable, Hashable {
  public var service: TargetIdentifier
  /// GENCTR
  public var generationCounter: UInt64
  /// Entries in the log now.
  public var recordCount: Int
  public var added: [DiscoveryRecord]
  public var removed: [DiscoveryRecord]
}
