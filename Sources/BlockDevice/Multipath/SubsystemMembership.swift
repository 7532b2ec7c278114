/// Whether a path's controller is of the subsystem that the device's other paths lead to, sans-I/O.
///
/// All controllers of a subsystem have different identifiers (NVMe Base 2.1, section 3.1.2). Two with the same one are of
/// two subsystems with one NQN, a target and its copy for instance, whose namespaces say that they are the same but have
/// other blocks: one after the other would be written to.
///
/// Only a controller that is new is held against the others: of one whose connection is lost the target may know before we
/// do, and give its identifier to another. Who has shared it for longer than that can last is a stranger.
struct SubsystemMembership {
  /// It has been seen to be none of another subsystem.
  private(set) var isCertain = false
  /// Since when another path's controller has had the same identifier as this one's; nil: none has.
  private var sharedSinceNanoseconds: UInt64?

  /// A keep alive is due each half of KATO, and has KATO to be answered.
  private static let keepAlivesUntilLossIsKnown: UInt64 = 2

  /// Looks at a controller that is connected.
  ///
  /// - Parameter sharesIdentifier: another path's, which is certain and connected, has the same identifier.
  /// - Returns: whether it may be used.
  mutating func look(sharesIdentifier: Bool, keepAliveMilliseconds: UInt32, nowNanoseconds now: UInt64) -> Bool {
    if isCertain { return true }
    if let sharedSinceNanoseconds {
      let limit = Self.keepAlivesUntilLossIsKnown * UInt64(keepAliveMilliseconds) * 1_000_000
      if now &- sharedSinceNanoseconds > limit { return false }
    }
    guard !sharesIdentifier else {
      if sharedSinceNanoseconds == nil { sharedSinceNanoseconds = now }
      return false
    }
    isCertain = true
    sharedSinceNanoseconds = nil
    return true
  }
}
