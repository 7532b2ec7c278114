/// What ``DiscoveryTracker`` wants done.
public enum DiscoveryTrackerAction: Sendable, Hashable {
  /// Connect a service, in place of the controller that there may have been for it, and keep it connected.
  case connect(DiscoveryServiceIdentifier, TargetIdentifier)
  /// Take a service's controller down; nothing more of it is wanted.
  case disconnect(DiscoveryServiceIdentifier)
  /// Read a service's log, and report ``DiscoveryTrackerEvent/logRead(_:generationCounter:_:)`` or
  /// ``DiscoveryTrackerEvent/readFailed(_:_:)``. A service that is lost meanwhile need not report.
  case readLog(DiscoveryServiceIdentifier)
  case tell(DiscoveryEvent)
}
