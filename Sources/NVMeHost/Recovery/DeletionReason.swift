/// Why a controller is gone for good.
public enum DeletionReason: Sendable, Hashable, CustomStringConvertible {
  /// Its owner wished so.
  case requested
  /// It was lost for longer than the controller loss time-out; what went wrong last.
  case controllerLossTimeout(ControllerError?)
  /// The reactor it lived on has ended.
  case reactorGone

  public var description: String {
    switch self {
    case .requested: return "the controller has been detached"
    case .controllerLossTimeout(let error):
      let cause = error.map { ": \($0)" } ?? ""
      return "the controller did not come back within the controller loss time-out\(cause)"
    case .reactorGone: return "the reactor the controller lived on has ended"
    }
  }
}
