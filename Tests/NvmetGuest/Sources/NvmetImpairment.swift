/// What becomes of packets on their way from the guest.
public enum NvmetImpairment: Sendable, Hashable {
  /// They are dropped.
  case loss
  case delay(milliseconds: Int)
}
