/// Names a discovery service among those that a ``DiscoveryTracker`` watches; a number is never given twice.
public struct DiscoveryServiceIdentifier: Hashable, Sendable {
  public let number: UInt64
}
