public import NVMeProtocol

/// What ``ControllerStateMachine`` wants done.
public enum ControllerAction: Sendable, Hashable {
  /// Make the transport connection of a queue and send Fabrics Connect on it. `entries` is the queue's size; one less
  /// can be outstanding.
  case connectQueue(identifier: UInt16, entries: UInt16, controllerIdentifier: UInt16)
  /// Submit an admin command; its end comes back with `tag`.
  case submitAdmin(tag: UInt32, command: SubmissionQueueEntry, dataOut: [UInt8], dataInByteCount: Int)
  /// Find out whether there has been traffic on any queue since this was last wanted, and report
  /// ``ControllerEvent/traffic(_:)``.
  case lookForTraffic
  /// The controller can be used.
  case ready
  case namespacesChanged([NamespaceChange])
  /// The ANA log has been read anew.
  case anaChanged
  /// The discovery log has changed.
  case discoveryLogChanged
  /// An event that is not acted upon here.
  case asynchronousEvent(result: UInt32)
  /// Close all queues, and report ``ControllerEvent/queuesClosed``.
  case closeQueues
  /// The association is over; nil when it was by our own wish.
  case closed(ControllerError?)
}
