import BlockDevice
import NVMeHost
import Testing

@Suite struct PathProbationTests {
  static let second: UInt64 = 1_000_000_000
  static let unanswered = ControllerError.transport(queueIdentifier: 2, TransportError(.commandTimedOut, ""))
  static let unacknowledged = ControllerError.transport(queueIdentifier: 2, TransportError(.unacknowledged, ""))

  /// A path that goes through losses and returns, in seconds.
  private struct History {
    var recovery = RecoveryStatistics()
    var probation = PathProbation(delaysMilliseconds: 10_000...300_000)

    mutating func lose(_ reason: ControllerError, at seconds: UInt64) {
      recovery.lossCount += 1
      recovery.lastLossReason = reason
      recovery.lastLossNanoseconds = seconds * PathProbationTests.second
      probation.look(recovery, isConnected: false)
    }

    mutating func connect(at seconds: UInt64) {
      recovery.lastEnabledNanoseconds = seconds * PathProbationTests.second
      probation.look(recovery, isConnected: true)
    }

    mutating func probe(isAnswered: Bool, at seconds: UInt64) {
      probation.probeEnded(
        probation.number, isAnswered: isAnswered, nowNanoseconds: seconds * PathProbationTests.second)
    }

    var dueSeconds: UInt64? { probation.dueNanoseconds.map { $0 / PathProbationTests.second } }
  }

  @Test(
    arguments: [
      .transport(queueIdentifier: 1, TransportError(.closedByPeer, "")),
      .transport(queueIdentifier: 1, TransportError(.broken, "")),
      .transport(queueIdentifier: 0, TransportError(.commandTimedOut, "")),
      .transport(queueIdentifier: 0, TransportError(.unacknowledged, "")), .keepAliveTimeout(milliseconds: 1),
      .adminTimeout(step: "", milliseconds: 1), .fatalStatus, .disconnected,
    ] as [ControllerError])
  func onlyUnansweredIOPutsAPathOnProbation(_ reason: ControllerError) {
    var history = History()
    history.lose(reason, at: 100)
    history.connect(at: 101)
    #expect(!history.probation.isOn && history.dueSeconds == nil)
    history.lose(Self.unanswered, at: 110)
    // Nothing is probed before there is a connection.
    #expect(history.probation.isOn && history.dueSeconds == nil && history.probation.queueIdentifier == 2)
    history.connect(at: 111)
    #expect(history.probation.isOn && history.dueSeconds == 121)
    // Whatever else it is lost for is no proof that it does I/O.
    history.lose(reason, at: 112)
    history.connect(at: 113)
    #expect(history.probation.isOn && history.dueSeconds == 121)
  }

  /// What is aborted has gone unanswered, too; the connection stays, and time counts from then.
  @Test func abortedCommandsPutAPathOnProbation() {
    var history = History()
    history.connect(at: 1)
    history.probation.commandsUnanswered(3, nowNanoseconds: 100 * Self.second)
    #expect(history.probation.isOn && history.probation.queueIdentifier == 3 && history.dueSeconds == 110)
    // Others that were sent along with them, or since because there is no other path, are no further failures.
    let number = history.probation.number
    history.probation.commandsUnanswered(3, nowNanoseconds: 109 * Self.second)
    #expect(history.dueSeconds == 110 && history.probation.number == number)
    // The probe's own is.
    history.probation.commandsUnanswered(3, nowNanoseconds: 140 * Self.second)
    #expect(history.dueSeconds == 160 && history.probation.number != number)
    history.probe(isAnswered: true, at: 160)
    #expect(!history.probation.isOn)
    // Of a path that is lost nothing is told but late.
    history.lose(Self.unanswered, at: 170)
    history.probation.commandsUnanswered(3, nowNanoseconds: 171 * Self.second)
    #expect(history.dueSeconds == nil)
  }

  @Test func commandsThatWereNotEvenDeliveredAreUnansweredToo() {
    var history = History()
    history.lose(Self.unacknowledged, at: 100)
    history.connect(at: 101)
    #expect(history.probation.isOn && history.dueSeconds == 111 && history.probation.queueIdentifier == 2)
  }

  @Test func aLossThatWasThereBeforeThePathIsNoNews() {
    var recovery = RecoveryStatistics()
    recovery.lossCount = 3
    recovery.lastLossReason = Self.unanswered
    var probation = PathProbation(delaysMilliseconds: 1...1, lossCount: 3)
    probation.look(recovery, isConnected: true)
    #expect(!probation.isOn)
  }

  @Test func anAnswerEndsIt() {
    var history = History()
    history.lose(Self.unanswered, at: 100)
    history.connect(at: 101)
    history.probe(isAnswered: false, at: 111)
    #expect(history.probation.isOn && history.dueSeconds == 121)
    history.probe(isAnswered: true, at: 122)
    #expect(!history.probation.isOn && history.dueSeconds == nil)
    history.connect(at: 123)
    #expect(!history.probation.isOn)
  }

  /// A probe of an association that has been lost since says nothing about the next one.
  @Test func anAnswerThatComesTooLateCountsForNothing() {
    var history = History()
    history.lose(Self.unanswered, at: 100)
    history.connect(at: 101)
    let number = history.probation.number
    history.lose(Self.unanswered, at: 112)
    history.probation.probeEnded(number, isAnswered: true, nowNanoseconds: 113 * Self.second)
    #expect(history.probation.isOn)
    history.connect(at: 114)
    history.probation.probeEnded(number, isAnswered: false, nowNanoseconds: 115 * Self.second)
    #expect(history.dueSeconds == 134)
  }

  @Test func theDelayDoublesUpToItsLimit() {
    var history = History()
    var now: UInt64 = 100
    for delay in [10, 20, 40, 80, 160, 300, 300] as [UInt64] {
      history.lose(Self.unanswered, at: now)
      history.connect(at: now + 1)
      #expect(history.dueSeconds == now + 1 + delay)
      // Answered or not: what was answered is soon lost again.
      if delay == 40 { history.probe(isAnswered: true, at: now + 42) }
      now += delay + 32
    }
    for _ in 0..<100 { history.lose(Self.unanswered, at: now) }
    history.connect(at: now)
    #expect(history.dueSeconds == now + 300)
  }

  @Test(arguments: [(299, 20), (300, 10)] as [(UInt64, UInt64)])
  func whatHoldsForLongEnoughIsForgotten(heldSeconds: UInt64, delay: UInt64) {
    var history = History()
    history.lose(Self.unanswered, at: 100)
    history.connect(at: 101)
    history.probe(isAnswered: true, at: 111)
    let now = 111 + heldSeconds
    history.lose(Self.unanswered, at: now)
    history.connect(at: now)
    #expect(history.dueSeconds == now + delay)
  }

  @Test func theDelayIsNeverNone() {
    var probation = PathProbation(delaysMilliseconds: 0...0)
    var recovery = RecoveryStatistics()
    recovery.lossCount = 1
    recovery.lastLossReason = Self.unanswered
    recovery.lastEnabledNanoseconds = 5
    probation.look(recovery, isConnected: true)
    #expect(probation.dueNanoseconds == 1_000_005)
  }
}
