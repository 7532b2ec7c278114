public import NVMeProtocol

/// What ``DiscoveryTracker`` is told.
public enum DiscoveryTrackerEvent: Sendable, Hashable {
  case start
  /// The service's controller is ready, for the first time or again. `reportsChanges`: it tells when its log changes.
  case connected(DiscoveryServiceIdentifier, reportsChanges: Bool)
  /// The service's controller is lost, or an attempt to connect it has failed; it is tried again.
  case lost(DiscoveryServiceIdentifier, ControllerError)
  /// The service's controller is not tried again.
  case failed(DiscoveryServiceIdentifier, ControllerError)
  /// The service says that its log has changed.
  case logChanged(DiscoveryServiceIdentifier)
  /// The log that was to be read has been read as a whole.
  case logRead(DiscoveryServiceIdentifier, generationCounter: UInt64, [DiscoveryLogEntry])
  /// The log that was to be read could not be.
  case readFailed(DiscoveryServiceIdentifier, DiscoveryError)
  /// The time of ``DiscoveryTracker/nextDeadlineNanoseconds`` has come.
  case deadline
  /// Disconnect all services and detach what they offer.
  case stop
}
