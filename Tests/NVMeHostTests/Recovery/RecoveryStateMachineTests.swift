import NVMeHost
import NVMeProtocol
import Testing

@Suite struct RecoveryStateMachineTests {
  /// Brings a machine into the state of a row of the table.
  private func harness(in row: String) throws -> RecoveryHarness {
    var harness = try RecoveryHarness(row == "failed (closing)" ? .never : nil)
    if row == "disabled (none)" { return harness }
    harness.send(.enable, .associationReady)
    switch row {
    case "disabled (closing)": harness.send(.disable)
    case "resetting (connecting)": harness.send(.associationLost(RecoveryHarness.transient), .associationClosed)
    case "resetting (closing)", "failed (closing)": harness.send(.associationLost(RecoveryHarness.transient))
    case "enabled (ready)": break
    case "reconnectDelayed (none)":
      harness.send(.associationLost(RecoveryHarness.transient), .associationClosed)
      harness.failAttempt()
    case "failed (none)":
      harness.send(.associationLost(RecoveryHarness.transient), .associationClosed)
      harness.failAttempt(RecoveryHarness.doNotRetry)
    case "deleting (closing)": harness.send(.delete)
    case "deleted (none)": harness.send(.delete, .associationClosed)
    default: Issue.record("no recipe for \(row)")
    }
    #expect(harness.place == row)
    return harness
  }

  private func event(named name: String) -> RecoveryEvent? {
    switch name {
    case "enable": .enable
    case "reset": .reset
    case "disable": .disable
    case "delete": .delete
    case "associationReady": .associationReady
    case "associationLost": .associationLost(RecoveryHarness.transient)
    case "associationClosed": .associationClosed
    case "deadline": .deadline
    case "reactorGone": .reactorGone
    default: nil
    }
  }

  @Test func theTableHasEveryStateAndEvent() {
    let rows = Set(TransitionTable.cells.map(\.row))
    #expect(rows.count == 10 && TransitionTable.cells.count == 90)
    for state in RecoveryState.allCases { #expect(rows.contains { $0.hasPrefix(state.rawValue + " ") }, "\(state)") }
  }

  @Test(arguments: TransitionTable.cells) func transition(_ cell: TransitionTable.Cell) throws {
    var harness = try harness(in: cell.row)
    let event = try #require(self.event(named: cell.event))
    let isRefused = harness.machine.refusal(of: event) != nil
    #expect(isRefused == (cell.result == "refused"))
    if event == .deadline, let deadline = harness.machine.nextDeadlineNanoseconds { harness.now = deadline }
    harness.clearActions()
    harness.send(event)
    let hasNoEffect = cell.result == "·" || isRefused
    #expect(harness.place == (hasNoEffect ? cell.row : cell.result))
    if hasNoEffect {
      // Fast I/O fail changes what becomes of I/O, not the state.
      let isFastFail = event == .deadline && cell.row.hasPrefix("resetting")
      #expect(harness.actions == (isFastFail ? [.ioDispositionChanged(.fail)] : []))
    }
  }

  @Test func aLossIsMendedAtTheFirstAttempt() throws {
    var harness = try RecoveryHarness()
    harness.send(.enable)
    #expect(harness.actions == [.stateChanged(.resetting), .connect])
    harness.send(.associationReady)
    #expect(harness.actions.suffix(2) == [.stateChanged(.enabled), .ioDispositionChanged(.submit)])
    #expect(harness.machine.isAtRest == false)
    harness.clearActions()
    harness.send(.associationLost(RecoveryHarness.transient))
    #expect(harness.actions == [.stateChanged(.resetting), .ioDispositionChanged(.hold)])
    harness.pass(milliseconds: 500)
    harness.send(.associationClosed)
    #expect(harness.actions.last == .connect)
    harness.send(.associationReady)
    #expect(harness.machine.ioDisposition == .submit)
    let statistics = harness.machine.statistics
    #expect(statistics.lossCount == 1 && statistics.attemptCount == 2 && statistics.reconnectCount == 1)
    #expect(statistics.failedAttemptCount == 0 && statistics.attemptsSinceLoss == 0)
    #expect(statistics.lastLossReason == RecoveryHarness.transient)
    #expect(statistics.longestOutageNanoseconds == 500_000_000)
    #expect(statistics.lastEnabledNanoseconds == harness.now)
  }

  /// A target that accepts and hangs up, at once and for ever.
  @Test(arguments: [
    // Loss time-out, delay, multiplier and the longest delay; the attempts within a minute.
    (600_000 as Int64, 2000 as Int64, 1.0, 0 as Int64, 31), (600_000, 1000, 2.0, 8000, 10), (0, 0, 1.0, 0, 61),
  ])
  func aControllerThatIsLostAsSoonAsItIsConnectedIsNotConnectedWithoutEnd(
    _ loss: Int64, _ delay: Int64, _ multiplier: Double, _ longest: Int64, _ count: Int
  ) throws {
    let timers =
      loss == 0
      ? RecoveryTimers.once()
      : try RecoveryTimers(
        reconnectDelayMilliseconds: delay, controllerLossTimeoutMilliseconds: loss,
        backOff: ReconnectBackOff(multiplier: multiplier, maximumDelayMilliseconds: longest, jitter: 0))
    var harness = try RecoveryHarness(timers)
    harness.send(.enable, .associationReady)
    let start = harness.now
    var attempts = 0
    while harness.now - start <= 60_000_000_000, attempts < 1000 {
      switch harness.machine.state {
      case .enabled: harness.send(.associationLost(RecoveryHarness.transient), .associationClosed)
      case .resetting:
        attempts += 1
        harness.send(.associationReady)
      default:
        #expect(harness.machine.ioDisposition == .hold)
        harness.now = try #require(harness.machine.nextDeadlineNanoseconds)
        harness.send(.deadline)
      }
    }
    // The last one is made later than that.
    #expect(attempts == count)
    // One that has lived for a while is connected again at once, and so is one that its owner resets.
    harness.send(.associationReady)
    harness.pass(milliseconds: 20_000)
    harness.send(.associationLost(RecoveryHarness.transient), .associationClosed)
    #expect(harness.machine.association == .connecting)
    harness.send(.associationReady, .reset, .associationClosed)
    #expect(harness.machine.association == .connecting)
  }

  @Test func attemptsAreADelayApartUntilTheControllerIsLost() throws {
    var harness = try lost()
    var attempts: [UInt64] = []
    let start = harness.now
    while harness.machine.state != .deleted {
      if harness.machine.association == .connecting {
        attempts.append((harness.now - start) / 1_000_000)
        harness.failAttempt()
      } else {
        harness.now = try #require(harness.machine.nextDeadlineNanoseconds)
        harness.send(.deadline)
      }
    }
    // At once, then each 2 s; none at 60 s, when the controller goes.
    #expect(attempts == (0..<30).map { $0 * 2000 })
    #expect(harness.now - start == 60_000_000_000)
    #expect(harness.deletionReason == .controllerLossTimeout(RecoveryHarness.transient))
    #expect(harness.machine.statistics.failedAttemptCount == 30)
  }

  @Test func theLossTimeoutEndsAnAttemptUnderWay() throws {
    var harness = try lost()
    harness.pass(milliseconds: 59_999)
    #expect(harness.place == "resetting (connecting)")
    harness.clearActions()
    harness.pass(milliseconds: 1)
    #expect(harness.place == "deleting (closing)" && harness.actions.contains(.disconnect))
    // Success comes too late.
    harness.send(.associationReady)
    #expect(harness.place == "deleting (closing)")
    harness.send(.associationClosed)
    #expect(harness.deletionReason == .controllerLossTimeout(RecoveryHarness.transient))
  }

  @Test func deletingEndsWithoutTheAssociationsHelp() throws {
    var harness = try RecoveryHarness()
    harness.send(.enable, .associationReady, .delete)
    harness.pass(milliseconds: 14_999)
    #expect(harness.machine.state == .deleting)
    harness.pass(milliseconds: 1)
    #expect(harness.machine.state == .deleted && harness.deletionReason == .requested)
    // Its late end is no news.
    harness.send(.associationClosed, .associationLost(RecoveryHarness.transient), .deadline)
  }

  @Test func fastIOFailCountsFromTheLossAndLastsUntilTheReturn() throws {
    var harness = try lost()
    harness.failAttempt()
    harness.pass(milliseconds: 1_000)
    #expect(harness.machine.ioDisposition == .hold)
    // Attempts in between do not wind it back.
    harness.pass(milliseconds: 1_000)
    harness.failAttempt()
    harness.pass(milliseconds: 2_000)
    #expect(harness.place == "resetting (connecting)")
    harness.pass(milliseconds: 5_999)
    #expect(harness.machine.ioDisposition == .hold)
    harness.pass(milliseconds: 1)
    #expect(harness.machine.ioDisposition == .fail && harness.machine.statistics.fastIOFailCount == 1)
    harness.failAttempt()
    harness.pass(milliseconds: 2_000)
    #expect(harness.machine.ioDisposition == .fail)
    harness.send(.associationReady)
    #expect(harness.machine.ioDisposition == .submit)
    // It is off until the next loss.
    harness.pass(milliseconds: 100_000)
    #expect(harness.machine.statistics.fastIOFailCount == 1)
  }

  @Test func withoutFastIOFailIOIsHeldToTheEnd() throws {
    let timers = try RecoveryTimers(reconnectDelayMilliseconds: 1000, controllerLossTimeoutMilliseconds: 5000)
    var harness = try RecoveryHarness(timers)
    harness.send(.enable, .associationReady)
    harness.send(.associationLost(RecoveryHarness.transient), .associationClosed)
    harness.failAttempt()
    harness.clearActions()
    harness.pass(milliseconds: 999)
    #expect(harness.machine.ioDisposition == .hold && harness.actions.isEmpty)
    harness.pass(milliseconds: 4_001)
    harness.send(.associationClosed)
    #expect(harness.machine.state == .deleted)
  }

  @Test func forEverIsForEver() throws {
    let timers = try RecoveryTimers(reconnectDelayMilliseconds: 1000, controllerLossTimeoutMilliseconds: -1)
    var harness = try RecoveryHarness(timers)
    harness.send(.enable, .associationReady, .associationLost(RecoveryHarness.transient), .associationClosed)
    for _ in 0..<500 {
      harness.failAttempt()
      harness.pass(milliseconds: 1000)
    }
    #expect(harness.place == "resetting (connecting)")
    harness.send(.associationReady)
    #expect(harness.machine.state == .enabled)
  }

  @Test(arguments: [
    RecoveryHarness.doNotRetry,
    .connectRefused(queueIdentifier: 0, .authenticationRequired, result: 0, subsystemNQN: "s", hostNQN: "h"),
    .refused(step: "identifying the controller", StatusField(.generic, 0x02, doNotRetry: true)),
  ])
  func whatIsOfNoUseIsNotTried(_ error: ControllerError) throws {
    var harness = try lost()
    harness.failAttempt(error)
    #expect(harness.place == "failed (none)" && harness.machine.ioDisposition == .fail)
    let attempts = harness.machine.statistics.attemptCount
    harness.pass(milliseconds: 30_000)
    #expect(harness.machine.statistics.attemptCount == attempts)
    // The cause has been mended: one reset, and I/O fails until it has come to something.
    harness.send(.reset)
    #expect(harness.place == "resetting (connecting)" && harness.machine.ioDisposition == .fail)
    harness.send(.associationReady)
    #expect(harness.machine.state == .enabled)
  }

  @Test func aFailedControllerGoesWithTheLossTimeout() throws {
    var harness = try lost()
    harness.failAttempt(RecoveryHarness.doNotRetry)
    harness.pass(milliseconds: 59_999)
    #expect(harness.machine.state == .failed)
    harness.pass(milliseconds: 1)
    #expect(harness.deletionReason == .controllerLossTimeout(RecoveryHarness.doNotRetry))
  }

  /// What ended an association is no reason not to make another one.
  @Test func doNotRetryAtALossDoesNotStop() throws {
    var harness = try RecoveryHarness()
    harness.send(.enable, .associationReady)
    harness.send(.associationLost(.refused(step: "a keep alive", StatusField(.generic, 0x02, doNotRetry: true))))
    harness.send(.associationClosed)
    #expect(harness.place == "resetting (connecting)")
  }

  @Test func aFirstConnectThatFailsIsReportedUnlessToBeRetried() throws {
    var harness = try RecoveryHarness()
    harness.send(.enable)
    harness.failAttempt()
    #expect(harness.place == "failed (none)" && harness.machine.isAtRest)
    #expect(harness.machine.statistics.lastAttemptFailure == RecoveryHarness.transient)
    harness.send(.enable)
    #expect(harness.place == "resetting (connecting)")

    harness = try RecoveryHarness(retriesFirstConnect: true)
    harness.send(.enable)
    #expect(harness.machine.ioDisposition == .hold)
    harness.failAttempt()
    #expect(harness.place == "reconnectDelayed (none)")
    harness.pass(milliseconds: 60_000)
    harness.send(.associationClosed)
    #expect(harness.machine.state == .deleted)
  }

  @Test func withoutReconnectingALossIsFinalUntilAReset() throws {
    var harness = try RecoveryHarness(.never)
    harness.send(.enable, .associationReady, .associationLost(RecoveryHarness.transient))
    #expect(harness.place == "failed (closing)" && harness.machine.ioDisposition == .fail)
    harness.send(.associationClosed)
    harness.pass(milliseconds: 10_000_000)
    #expect(harness.place == "failed (none)" && harness.machine.isAtRest)
    harness.send(.reset)
    harness.failAttempt()
    #expect(harness.place == "failed (none)")
    harness.send(.reset, .associationReady)
    #expect(harness.place == "enabled (ready)")
    // A reset of a healthy controller that does not come back.
    harness.send(.reset)
    #expect(harness.place == "resetting (closing)" && harness.machine.ioDisposition == .hold)
    harness.send(.associationClosed)
    harness.failAttempt()
    #expect(harness.place == "failed (none)" && harness.machine.ioDisposition == .fail)
  }

  @Test func backOffGrowsAndJitterShortens() throws {
    func delays(_ backOff: ReconnectBackOff, seed: UInt64 = 1) throws -> [Int] {
      let timers = try RecoveryTimers(
        reconnectDelayMilliseconds: 1000, controllerLossTimeoutMilliseconds: -1, backOff: backOff)
      var harness = try RecoveryHarness(timers, seed: seed)
      harness.send(.enable, .associationReady, .associationLost(RecoveryHarness.transient), .associationClosed)
      return try (0..<8).map { _ in
        harness.failAttempt()
        let before = harness.now
        harness.now = try #require(harness.machine.nextDeadlineNanoseconds)
        harness.send(.deadline)
        return Int((harness.now - before) / 1_000_000)
      }
    }
    #expect(try delays(.none) == Array(repeating: 1000, count: 8))
    let growing = try delays(ReconnectBackOff(multiplier: 2, maximumDelayMilliseconds: 30_000, jitter: 0))
    #expect(growing == [1000, 2000, 4000, 8000, 16_000, 30_000, 30_000, 30_000])
    let jittered = ReconnectBackOff(multiplier: 2, maximumDelayMilliseconds: 30_000, jitter: 0.5)
    let some = try delays(jittered, seed: 7)
    for (delay, most) in zip(some, growing) { #expect(delay <= most && delay >= most / 2) }
    #expect(some != growing)
    // The same seed, the same delays.
    #expect(try delays(jittered, seed: 7) == some)
    #expect(try delays(jittered, seed: 8) != some)
  }

  /// Any order of events keeps what `RecoveryHarness` checks, and a deletion always comes to its end.
  @Test(arguments: 0..<200 as Range<UInt64>) func anyOrderOfEvents(seed: UInt64) throws {
    var generator = SplitMix64Generator(seed: seed)
    let timers = try RecoveryTimers(
      reconnectDelayMilliseconds: 500, controllerLossTimeoutMilliseconds: seed % 2 == 0 ? -1 : 20_000,
      fastIOFailTimeoutMilliseconds: 2000)
    var harness = try RecoveryHarness(timers, retriesFirstConnect: seed % 3 == 0, seed: seed)
    for _ in 0..<100 where harness.machine.state != .deleted {
      switch Int.random(in: 0..<12, using: &generator) {
      case 0: harness.send(.enable)
      case 1: harness.send(.reset)
      case 2: harness.send(.disable)
      case 3, 4, 5: harness.send(.associationReady)
      case 6: harness.send(.associationLost(RecoveryHarness.transient))
      case 7: harness.send(.associationLost(RecoveryHarness.doNotRetry))
      case 8, 9: harness.send(.associationClosed)
      default: harness.pass(milliseconds: .random(in: 0...3000, using: &generator))
      }
    }
    harness.send(.delete)
    harness.pass(milliseconds: 15_000)
    #expect(harness.machine.state == .deleted && harness.deletionReason != nil)
  }

  /// A controller that was in use and has just been lost; the first attempt is under way.
  private func lost() throws -> RecoveryHarness {
    var harness = try RecoveryHarness()
    harness.send(.enable, .associationReady, .associationLost(RecoveryHarness.transient), .associationClosed)
    #expect(harness.place == "resetting (connecting)")
    return harness
  }

  @Test func promptAttemptsComeAtOnceAndThenNoMore() throws {
    var harness = try RecoveryHarness(.once(attempts: 2))
    harness.send(.enable, .associationReady)
    harness.send(.associationLost(RecoveryHarness.transient))
    // I/O is held meanwhile.
    #expect(harness.place == "resetting (closing)" && harness.machine.ioDisposition == .hold)
    harness.send(.associationClosed)
    #expect(harness.place == "resetting (connecting)")
    harness.failAttempt()
    #expect(harness.place == "reconnectDelayed (none)")
    harness.now = try #require(harness.machine.nextDeadlineNanoseconds)
    #expect(harness.now - 1_000_000_000_000 < 1_000_000)
    harness.send(.deadline)
    #expect(harness.place == "resetting (connecting)")
    harness.failAttempt()
    #expect(harness.place == "failed (none)" && harness.machine.nextDeadlineNanoseconds == nil)
    // A first connect that fails is final, and so is an error that says so.
    var first = try RecoveryHarness(.once(attempts: 2))
    first.send(.enable)
    first.failAttempt()
    #expect(first.place == "failed (none)")
    var permanent = try RecoveryHarness(.once(attempts: 2))
    permanent.send(.enable, .associationReady, .associationLost(RecoveryHarness.transient), .associationClosed)
    permanent.failAttempt(RecoveryHarness.doNotRetry)
    #expect(permanent.place == "failed (none)")
  }
}
