/// What becomes of a target's answers on their way.
public enum NetworkImpairment: Sendable, Hashable {
  /// They are dropped, and nobody is told.
  case loss
  case delay(milliseconds: Int)
}
