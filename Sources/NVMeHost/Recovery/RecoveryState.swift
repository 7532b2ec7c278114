/// Where a controller stands in its life.
public enum RecoveryState: String, Sendable, Hashable, CaseIterable {
  /// There is an association, and I/O flows.
  case enabled
  /// The old association is being taken down, or a new one made.
  case resetting
  /// An attempt has failed; the next one begins after a delay.
  case reconnectDelayed
  /// There is no association, and none is tried: it was never to be, or trying is of no use. A reset tries once more.
  case failed
  /// There is no association, by the owner's wish; also the state before the first connect.
  case disabled
  /// The controller goes: its association is being taken down.
  case deleting
  /// The controller is gone for good. Nothing leaves this state.
  case deleted
}
