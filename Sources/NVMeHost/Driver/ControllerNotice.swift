/// News of a controller in use.
public enum ControllerNotice: Sendable, Hashable {
  case ready
  case namespacesChanged([NamespaceChange])
  case anaChanged
  case discoveryLogChanged
  /// An asynchronous event nothing is done about here; dword 0 of its completion.
  case asynchronousEvent(UInt32)
  /// The association is over; nil when it was by our own wish.
  case closed(ControllerError?)
}
