import NVMeHost
import Testing

@Suite struct RecoveryTimersTests {
  struct Triple: Sendable, CustomTestStringConvertible {
    var loss: Int64
    var delay: Int64
    var fast: Int64
    /// nil: valid.
    var field: RecoveryTimersError.Field?
    var testDescription: String { "loss \(loss), delay \(delay), fast \(fast)" }
  }

  /// Each line of the table of the timer triple, its edges on both sides.
  static let triples: [Triple] = [
    Triple(loss: -2, delay: 1, fast: 0, field: .controllerLossTimeout),
    Triple(loss: .min, delay: 0, fast: 0, field: .controllerLossTimeout),
    Triple(loss: .max, delay: 1, fast: 0, field: .controllerLossTimeout),
    // For ever: a delay, and fast 0 or not below it.
    Triple(loss: -1, delay: 0, fast: 0, field: .reconnectDelay),
    Triple(loss: -1, delay: -1, fast: 0, field: .reconnectDelay),
    Triple(loss: -1, delay: .max, fast: 0, field: .reconnectDelay),
    Triple(loss: -1, delay: 10, fast: 0),
    Triple(loss: -1, delay: 10, fast: 9, field: .fastIOFailTimeout),
    Triple(loss: -1, delay: 10, fast: 10),
    Triple(loss: -1, delay: 10, fast: 1000),
    Triple(loss: -1, delay: 10, fast: -1, field: .fastIOFailTimeout),
    Triple(loss: -1, delay: 10, fast: .max, field: .fastIOFailTimeout),
    // Never: nothing else.
    Triple(loss: 0, delay: 0, fast: 0),
    Triple(loss: 0, delay: 1, fast: 0, field: .reconnectDelay),
    Triple(loss: 0, delay: 0, fast: 1, field: .fastIOFailTimeout),
    // For a time: 0 < delay ≤ loss, and fast 0 or between the two.
    Triple(loss: 100, delay: 0, fast: 0, field: .reconnectDelay),
    Triple(loss: 100, delay: 1, fast: 0),
    Triple(loss: 100, delay: 100, fast: 0),
    Triple(loss: 100, delay: 101, fast: 0, field: .reconnectDelay),
    Triple(loss: 100, delay: 10, fast: 9, field: .fastIOFailTimeout),
    Triple(loss: 100, delay: 10, fast: 10),
    Triple(loss: 100, delay: 10, fast: 100),
    Triple(loss: 100, delay: 10, fast: 101, field: .fastIOFailTimeout),
  ]

  @Test(arguments: triples) func tripleIsHeldAgainstTheRules(_ triple: Triple) {
    let result = Result { () throws(RecoveryTimersError) in
      try RecoveryTimers(
        reconnectDelayMilliseconds: triple.delay, controllerLossTimeoutMilliseconds: triple.loss,
        fastIOFailTimeoutMilliseconds: triple.fast)
    }
    switch (result, triple.field) {
    case (.success(let timers), nil):
      #expect(timers.reconnectDelayMilliseconds == triple.delay)
      #expect(timers.controllerLossTimeoutMilliseconds == triple.loss)
      #expect(timers.fastIOFailTimeoutMilliseconds == triple.fast)
      #expect(timers.reconnects == (triple.loss != 0))
    case (.failure(let error), let field?):
      #expect(error.field == field)
      let value =
        switch field {
        case .controllerLossTimeout: triple.loss
        case .reconnectDelay: triple.delay
        default: triple.fast
        }
      // Field, value and rule are all in the text.
      #expect("\(error)".hasPrefix("\(field.rawValue) cannot be \(value) ms: it "))
    default:
      Issue.record("\(result)")
    }
  }

  @Test func theReadyMadeTriplesKeepTheRules() throws {
    for timers in [RecoveryTimers.never, .standard] {
      let again = try RecoveryTimers(
        reconnectDelayMilliseconds: timers.reconnectDelayMilliseconds,
        controllerLossTimeoutMilliseconds: timers.controllerLossTimeoutMilliseconds,
        fastIOFailTimeoutMilliseconds: timers.fastIOFailTimeoutMilliseconds)
      #expect(again == timers)
    }
  }

  @Test(arguments: [
    (
      ReconnectBackOff(multiplier: 0.9, maximumDelayMilliseconds: 0, jitter: 0),
      RecoveryTimersError.Field.backOffMultiplier
    ),
    (ReconnectBackOff(multiplier: 10.5, maximumDelayMilliseconds: 0, jitter: 0), .backOffMultiplier),
    (ReconnectBackOff(multiplier: .nan, maximumDelayMilliseconds: 0, jitter: 0), .backOffMultiplier),
    (ReconnectBackOff(multiplier: 2, maximumDelayMilliseconds: 0, jitter: -0.1), .backOffJitter),
    (ReconnectBackOff(multiplier: 2, maximumDelayMilliseconds: 0, jitter: 1.1), .backOffJitter),
    (ReconnectBackOff(multiplier: 2, maximumDelayMilliseconds: 0, jitter: .nan), .backOffJitter),
    (ReconnectBackOff(multiplier: 2, maximumDelayMilliseconds: -1, jitter: 0), .backOffMaximumDelay),
    (ReconnectBackOff(multiplier: 2, maximumDelayMilliseconds: 999, jitter: 0), .backOffMaximumDelay),
  ])
  func backOffIsHeldAgainstItsRules(_ backOff: ReconnectBackOff, _ field: RecoveryTimersError.Field) {
    let error = #expect(throws: RecoveryTimersError.self) {
      try RecoveryTimers(
        reconnectDelayMilliseconds: 1000, controllerLossTimeoutMilliseconds: -1, backOff: backOff)
    }
    #expect(error?.field == field)
  }
}
