/// When a lost controller is connected again, and when it is given up: three timers that only make sense together.
///
/// A value of this type is a valid triple: the initializer holds it against the rules. The two time-outs count from the
/// moment of the loss, whatever attempts there are; the delay counts from the end of an attempt.
public struct RecoveryTimers: Sendable, Hashable {
  /// How long after a failed attempt the next one begins, in milliseconds; 0 where none is made. The first attempt begins
  /// as soon as the old connections are closed.
  public let reconnectDelayMilliseconds: Int64
  /// How long a controller may be lost before it goes for good, and its block devices with it, in milliseconds;
  /// 0 = it is not reconnected at all, -1 = it is tried for ever.
  public let controllerLossTimeoutMilliseconds: Int64
  /// How long after the loss I/O is held before it fails at once, in milliseconds; 0 = it is held as long as the
  /// controller is not given up.
  public let fastIOFailTimeoutMilliseconds: Int64
  /// How the delay grows with the attempts.
  public let backOff: ReconnectBackOff
  /// Where the controller is not reconnected in the long run: so many attempts are made at once, one after the other, before
  /// the loss is final. I/O is held meanwhile.
  public let promptAttemptCount: Int

  /// The loss of the controller is final: nothing is tried, I/O fails at once.
  public static let never = RecoveryTimers(validReconnectDelay: 0, controllerLoss: 0, fastIOFail: 0)
  /// As ``never``, but with so many attempts made at once.
  public static func once(attempts: Int = 1) -> RecoveryTimers {
    RecoveryTimers(validReconnectDelay: 0, controllerLoss: 0, fastIOFail: 0, promptAttemptCount: attempts)
  }
  /// An attempt each 2 s for 10 minutes, during which I/O is held.
  public static let standard = RecoveryTimers(validReconnectDelay: 2000, controllerLoss: 600_000, fastIOFail: 0)

  /// - Throws: ``RecoveryTimersError``, naming the first field that breaks a rule.
  public init(
    reconnectDelayMilliseconds: Int64, controllerLossTimeoutMilliseconds: Int64,
    fastIOFailTimeoutMilliseconds: Int64 = 0, backOff: ReconnectBackOff = .none
  ) throws(RecoveryTimersError) {
    let (delay, loss, fast) = (
      reconnectDelayMilliseconds, controllerLossTimeoutMilliseconds, fastIOFailTimeoutMilliseconds
    )
    func check(_ holds: Bool, _ field: RecoveryTimersError.Field, _ value: Int64, _ rule: String)
      throws(RecoveryTimersError)
    {
      if !holds { throw RecoveryTimersError(field: field, value: "\(value) ms", rule: rule) }
    }
    let limit = Self.maximumMilliseconds
    try check(
      loss >= -1 && loss <= limit, .controllerLossTimeout, loss, "it is -1 (for ever), 0 (never) or 1...\(limit) ms")
    try check(delay >= 0 && delay <= limit, .reconnectDelay, delay, "it is 0...\(limit) ms")
    try check(fast >= 0 && fast <= limit, .fastIOFailTimeout, fast, "it is 0 (off) or 1...\(limit) ms")
    if loss == 0 {
      try check(
        delay == 0, .reconnectDelay, delay, "it must be 0 where controllerLossTimeout is 0, that is, never reconnects")
      try check(
        fast == 0, .fastIOFailTimeout, fast, "it must be 0 where controllerLossTimeout is 0, that is, never reconnects")
    } else {
      try check(delay != 0, .reconnectDelay, delay, "it must not be 0 where controllerLossTimeout is not 0")
      if loss > 0 {
        try check(
          delay <= loss, .reconnectDelay, delay, "it must not be more than controllerLossTimeout (\(loss) ms)")
      }
      if fast > 0 {
        try check(
          fast >= delay, .fastIOFailTimeout, fast, "it must be 0 (off) or at least reconnectDelay (\(delay) ms)")
        if loss > 0 {
          try check(
            fast <= loss, .fastIOFailTimeout, fast, "it must not be more than controllerLossTimeout (\(loss) ms)")
        }
      }
    }
    if let problem = backOff.problem(reconnectDelay: delay, controllerLossTimeout: loss) { throw problem }
    self.reconnectDelayMilliseconds = delay
    self.controllerLossTimeoutMilliseconds = loss
    self.fastIOFailTimeoutMilliseconds = fast
    self.backOff = backOff
    promptAttemptCount = 0
  }

  private init(validReconnectDelay: Int64, controllerLoss: Int64, fastIOFail: Int64, promptAttemptCount: Int = 0) {
    reconnectDelayMilliseconds = validReconnectDelay
    controllerLossTimeoutMilliseconds = controllerLoss
    fastIOFailTimeoutMilliseconds = fastIOFail
    backOff = .none
    self.promptAttemptCount = promptAttemptCount
  }

  /// What fits a 32-bit number of seconds, so that no sum of times overflows.
  public static let maximumMilliseconds: Int64 = Int64(UInt32.max) * 1000

  /// Lost controllers are connected again.
  public var reconnects: Bool { controllerLossTimeoutMilliseconds != 0 }
}
