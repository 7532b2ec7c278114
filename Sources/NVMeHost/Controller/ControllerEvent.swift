public import NVMeProtocol

/// What ``ControllerStateMachine`` is told.
public enum ControllerEvent: Sendable, Hashable {
  case start
  case queueConnected(identifier: UInt16, controllerIdentifier: UInt16)
  /// A queue could not be connected, or was lost.
  case queueFailed(identifier: UInt16, ControllerError)
  case adminCompleted(tag: UInt32, CompletionQueueEntry, data: [UInt8])
  /// An admin command ended without an answer: its queue is about to be reported as failed.
  case adminLost(tag: UInt32)
  /// The time of ``ControllerStateMachine/nextDeadlineNanoseconds`` has come.
  case deadline
  /// Whether a command has been both sent and answered on some queue since the last time.
  case traffic(Bool)
  /// A command's status says that the ANA log is out of date: read it anew. ``ControllerAction/anaChanged`` follows.
  case refreshANALog
  /// End the association in good order.
  case shutdown
  case queuesClosed
}
