/// News of a controller in use.
public enum ControllerNotice: Sendable, Hashable {
  case ready
  /// Also, with no changes, when a controller that is being connected again has other limits than before.
  case namespacesChanged([NamespaceChange])
  case anaChanged
  case discoveryLogChanged
  /// An asynchronous event nothing is done about here; dword 0 of its completion.
  case asynchronousEvent(UInt32)
  /// There is no association any more and none is tried; nil when it was by our own wish.
  case closed(ControllerError?)
  /// The controller's state, or what is to become of its I/O, has changed.
  case recovery(RecoveryState, IODisposition)
  /// Commands on an I/O queue (QID) were not answered within ``ControllerConfiguration/ioTimeoutMilliseconds``, and the
  /// controller is asked to abort them; the connection stays for now. The time is `CLOCK_MONOTONIC`'s.
  case commandsUnanswered(queueIdentifier: UInt16, nanoseconds: UInt64)
  /// Nothing is left of the association with this number. Quiesced: the controller has confirmed its shutdown, and
  /// executes none of the association's commands any more.
  case associationEnded(UInt64, isQuiesced: Bool)
  /// The controller and its block devices are gone for good.
  case removed(DeletionReason)
}
