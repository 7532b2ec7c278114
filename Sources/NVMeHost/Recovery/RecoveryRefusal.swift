/// Why an owner's wish has no effect in a controller's present state.
public enum RecoveryRefusal: Error, Sendable, Hashable, CustomStringConvertible {
  /// It is being connected or reset already.
  case alreadyResetting
  /// A disabled controller is not reset: enable it.
  case disabled
  /// It is going, or gone.
  case deleting

  public var description: String {
    switch self {
    case .alreadyResetting: "the controller is being reset or connected already"
    case .disabled: "the controller is disabled: enable it instead"
    case .deleting: "the controller is being deleted, or gone"
    }
  }
}
