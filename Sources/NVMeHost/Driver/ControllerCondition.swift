/// Where a controller stands, as its users see it.
public enum ControllerCondition: Sendable, Hashable {
  case idle
  case connecting
  case ready
  case closing
  /// The association is over; nil when it was by our own wish.
  case closed(ControllerError?)
}
