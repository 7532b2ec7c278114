/// A combination of timers that cannot be: which field, its value, and the rule it breaks.
public struct RecoveryTimersError: Error, Sendable, Hashable, CustomStringConvertible {
  public enum Field: String, Sendable, Hashable {
    case reconnectDelay
    case controllerLossTimeout
    case fastIOFailTimeout
    case backOffMultiplier = "backOff.multiplier"
    case backOffMaximumDelay = "backOff.maximumDelay"
    case backOffJitter = "backOff.jitter"
  }

  public var field: Field
  /// With its unit.
  public var value: String
  public var rule: String

  public init(field: Field, value: String, rule: String) {
    self.field = field
    self.value = value
    self.rule = rule
  }

  public var description: String { "\(field.rawValue) cannot be \(value): \(rule)" }
}
