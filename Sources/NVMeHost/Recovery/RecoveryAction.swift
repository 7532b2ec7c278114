/// What a ``RecoveryStateMachine`` wants done.
public enum RecoveryAction: Sendable, Hashable {
  /// Make an association; report ``RecoveryEvent/associationReady``, or ``RecoveryEvent/associationLost(_:)`` and then
  /// ``RecoveryEvent/associationClosed``.
  case connect
  /// End the association, with a shutdown notification where it is up and healthy; report
  /// ``RecoveryEvent/associationClosed``.
  case disconnect
  /// Whoever holds a device of the controller is to know that this has changed.
  case ioDispositionChanged(IODisposition)
  case stateChanged(RecoveryState)
  /// The controller and its block devices are gone; tell everyone who holds one. The last action there is.
  case deleted(DeletionReason)
}
