/// An ANA group that is in the state change.
struct ANATransition: Sendable {
  /// The group's: another one is another transition.
  var changeCount: UInt64
  /// When it has taken longer than ANATT.
  var deadlineNanoseconds: UInt64
}
