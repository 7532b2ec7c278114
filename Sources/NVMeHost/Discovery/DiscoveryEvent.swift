/// News of the discovery services that are watched, and of what they offer.
public enum DiscoveryEvent: Sendable, Hashable {
  /// A referral leads to a service; it is being connected.
  case serviceAdded(TargetIdentifier)
  /// No log that is read refers to the service any more.
  case serviceRemoved(TargetIdentifier)
  /// The service can be asked, or asked again. Its log is read next.
  case serviceConnected(TargetIdentifier)
  /// The service does not answer, or cannot be connected, and is tried again. What it offered stays.
  case serviceLost(TargetIdentifier, ControllerError)
  /// The service is not tried again by itself, only when a log that refers to it is read. What it offered stays.
  case serviceFailed(TargetIdentifier, ControllerError)
  /// The service has a name of its own beside the well-known one, and is connected by that.
  case serviceRenamed(TargetIdentifier, uniqueNQN: String)
  /// A service's log could not be read; it is tried again. What it offered stays.
  case logUnreadable(TargetIdentifier, DiscoveryError)
  /// A service's log has been read for the first time, or its entries have changed.
  case logChanged(DiscoveryLogChange)
  /// Ways to subsystems that no log named before.
  case attach([DiscoveryPath])
  /// Ways to subsystems that no log names any more.
  case detach([DiscoveryPath])
}
