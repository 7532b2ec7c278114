/// What a controller has gone through so far. Times are nanoseconds of the monotonic clock; nil = not yet.
public struct RecoveryStatistics: Sendable, Hashable {
  /// Associations lost (not those ended by wish).
  public var lossCount: UInt64 = 0
  /// Resets asked for and carried out.
  public var resetCount: UInt64 = 0
  /// Attempts to make an association, the first one included.
  public var attemptCount: UInt64 = 0
  /// Attempts since the controller was last enabled.
  public var attemptsSinceLoss: UInt64 = 0
  /// Attempts that came to nothing.
  public var failedAttemptCount: UInt64 = 0
  /// Times the controller came back.
  public var reconnectCount: UInt64 = 0
  /// Times the fast I/O fail time-out expired.
  public var fastIOFailCount: UInt64 = 0
  /// Why the association was last lost.
  public var lastLossReason: ControllerError?
  /// Why the last failed attempt came to nothing.
  public var lastAttemptFailure: ControllerError?
  public var lastLossNanoseconds: UInt64?
  public var lastEnabledNanoseconds: UInt64?
  /// When the next attempt begins; nil unless it is waited for.
  public var nextAttemptNanoseconds: UInt64?
  /// The longest time from a loss or reset to the controller's return, in nanoseconds.
  public var longestOutageNanoseconds: UInt64 = 0

  public init() {}
}
