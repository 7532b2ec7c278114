/// What a ``RecoveryStateMachine`` is told.
public enum RecoveryEvent: Sendable, Hashable {
  // From the owner.
  /// Connect, for the first time or after ``disable``; from ``RecoveryState/failed``: try once more.
  case enable
  /// End the association and make a new one; from ``RecoveryState/reconnectDelayed``: try now.
  case reset
  /// End the association in good order and stay without one.
  case disable
  /// Go for good.
  case delete

  // From the association.
  /// The association asked for by ``RecoveryAction/connect`` is there.
  case associationReady
  /// The association has failed, or could not be made; its connections are being closed.
  case associationLost(ControllerError)
  /// Nothing of the association is left.
  case associationClosed

  // From the world.
  /// The time of ``RecoveryStateMachine/nextDeadlineNanoseconds`` has come.
  case deadline
  /// The thread that all this lives on ends.
  case reactorGone
}
