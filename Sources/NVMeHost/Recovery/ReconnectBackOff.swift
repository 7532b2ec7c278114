/// How the delay between attempts to reconnect grows, and how far it is spread.
///
/// A thousand hosts that lose one target should not come back in the same millisecond. Jitter only ever shortens a
/// delay: what the timers promise holds with it, too.
public struct ReconnectBackOff: Sendable, Hashable {
  /// Each delay is so many times the one before, 1...10; 1 = they are all the same.
  public var multiplier: Double
  /// No delay is longer than this, in milliseconds; 0 = no limit but the controller loss time-out.
  public var maximumDelayMilliseconds: Int64
  /// Each delay is shortened by a random part of itself, up to this one, 0...1.
  public var jitter: Double

  public static let none = ReconnectBackOff(multiplier: 1, maximumDelayMilliseconds: 0, jitter: 0)

  public init(multiplier: Double, maximumDelayMilliseconds: Int64, jitter: Double) {
    self.multiplier = multiplier
    self.maximumDelayMilliseconds = maximumDelayMilliseconds
    self.jitter = jitter
  }

  func problem(reconnectDelay: Int64, controllerLossTimeout: Int64) -> RecoveryTimersError? {
    // Written so that a NaN breaks the rule.
    if !(multiplier >= 1 && multiplier <= 10) {
      return RecoveryTimersError(field: .backOffMultiplier, value: "\(multiplier)", rule: "it is 1...10")
    }
    if !(jitter >= 0 && jitter <= 1) {
      return RecoveryTimersError(field: .backOffJitter, value: "\(jitter)", rule: "it is 0...1")
    }
    let maximum = maximumDelayMilliseconds
    let value = "\(maximum) ms"
    if maximum < 0 || maximum > RecoveryTimers.maximumMilliseconds {
      return RecoveryTimersError(
        field: .backOffMaximumDelay, value: value,
        rule: "it is 0 (no limit) or 1...\(RecoveryTimers.maximumMilliseconds) ms")
    }
    if maximum > 0 && maximum < reconnectDelay {
      return RecoveryTimersError(
        field: .backOffMaximumDelay, value: value,
        rule: "it must not be less than reconnectDelay (\(reconnectDelay) ms)")
    }
    return nil
  }

  /// The delay before the attempt that follows `failedAttempts` failed ones, in nanoseconds.
  func delayNanoseconds(
    baseMilliseconds: Int64, failedAttempts: Int, generator: inout SplitMix64Generator
  ) -> UInt64 {
    let limit = Double(maximumDelayMilliseconds > 0 ? maximumDelayMilliseconds : RecoveryTimers.maximumMilliseconds)
    var milliseconds = min(Double(baseMilliseconds), limit)
    if multiplier > 1 {
      for _ in 1..<max(failedAttempts, 1) where milliseconds < limit {
        milliseconds = min(milliseconds * multiplier, limit)
      }
    }
    if jitter > 0 { milliseconds *= 1 - jitter * generator.nextUnit() }
    return UInt64(milliseconds * 1_000_000)
  }
}
