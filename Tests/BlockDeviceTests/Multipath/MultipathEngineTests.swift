import BlockDevice
import Testing

@Suite struct MultipathEngineTests {
  static let second: UInt64 = 1_000_000_000

  private func makeEngine(
    paths: Int = 2, capacity: Int = 8, quiesceSeconds: UInt64? = 40,
    _ change: (inout MultipathEngine.Configuration) -> Void = { _ in }
  ) -> MultipathEngine {
    var configuration = MultipathEngine.Configuration()
    change(&configuration)
    var engine = MultipathEngine(configuration: configuration, capacity: capacity)
    for path in 0..<paths { engine.update(path, update(.optimized, UInt64(path + 1), quiesceSeconds)) }
    return engine
  }

  private func update(
    _ availability: PathAvailability, _ association: UInt64, _ quiesceSeconds: UInt64? = 40
  ) -> MultipathPathUpdate {
    MultipathPathUpdate(
      availability: availability, association: association,
      quiesceNanoseconds: quiesceSeconds.map { $0 * Self.second }, commandRetryDelayTimes: [1, 20, 300])
  }

  private func released(_ engine: inout MultipathEngine, _ now: UInt64) -> [Int: MultipathDecision] {
    var all: [Int: MultipathDecision] = [:]
    engine.beginRelease()
    while let next = engine.nextReleased(nowNanoseconds: now) { all[next.index] = next.decision }
    return all
  }

  @Test func aHealthyRequest() {
    var engine = makeEngine()
    #expect(engine.admit(3, isModifying: true, nowNanoseconds: 5) == .submit(path: 0))
    #expect(engine.selector.outstandingCount(of: 0) == 1)
    #expect(engine.completed(3, outcome: .success, status: .success, nowNanoseconds: 9) == .finish)
    #expect(engine.selector.outstandingCount(of: 0) == 0)
    #expect(engine.statistics == MultipathStatistics() && engine.nextDeadlineNanoseconds == nil)
  }

  @Test func whatOnlyReadsGoesElsewhereAtOnce() {
    var engine = makeEngine()
    for index in 0..<4 { _ = engine.admit(index, isModifying: false, nowNanoseconds: 1) }
    for index in 0..<4 {
      let decision = engine.completed(
        index, outcome: .connectionLost, status: .hostPathingError, nowNanoseconds: 2)
      #expect(decision == .submit(path: 1))
    }
    #expect(engine.statistics.failoverCount == 4 && engine.statistics.pathLossCount == 1)
    #expect(engine.statistics.fenceCount == 0 && engine.selector.outstandingCount(of: 1) == 4)
    // New requests do not try the lost path.
    #expect(engine.admit(5, isModifying: true, nowNanoseconds: 3) == .submit(path: 1))
  }

  @Test func aPathThatIsBackOnProbationIsUsedWhenItIsTheOnlyOne() {
    var engine = makeEngine()
    _ = engine.admit(0, isModifying: false, nowNanoseconds: 1)
    let lost = engine.completed(0, outcome: .connectionLost, status: .hostPathingError, nowNanoseconds: 2)
    #expect(lost == .submit(path: 1))
    var back = update(.optimized, 3)
    back.isOnProbation = true
    engine.update(0, back)
    #expect(engine.admit(1, isModifying: false, nowNanoseconds: 3) == .submit(path: 1))
    let other = engine.completed(1, outcome: .connectionLost, status: .hostPathingError, nowNanoseconds: 4)
    #expect(other == .submit(path: 0))
    // The other one is back, and what was only to be had here goes there again.
    engine.update(1, update(.nonOptimized, 4))
    #expect(engine.admit(2, isModifying: false, nowNanoseconds: 5) == .submit(path: 1))
    back.isOnProbation = false
    engine.update(0, back)
    #expect(engine.admit(3, isModifying: false, nowNanoseconds: 6) == .submit(path: 0))
  }

  /// Of an association that was lost before the present one, or of a path that was in the same place.
  @Test(arguments: [false, true]) func whatEndsLateSaysNothingOfTheAssociationSince(isOtherPath: Bool) {
    var engine = makeEngine(paths: 1)
    for index in 0..<2 { _ = engine.admit(index, isModifying: false, nowNanoseconds: 1) }
    if isOtherPath { engine.remove(0) }
    engine.update(0, update(.optimized, 9))
    for (index, outcome) in [BlockOutcome.connectionLost, .notSent].enumerated() {
      let decision = engine.completed(index, outcome: outcome, status: .hostPathingError, nowNanoseconds: 2)
      #expect(decision == .submit(path: 0))
    }
    #expect(engine.selector.availability(of: 0) == .optimized && engine.statistics.pathLossCount == 0)
    // Lost again it is.
    #expect(engine.completed(0, outcome: .notSent, status: .hostPathingError, nowNanoseconds: 3) == .hold)
    #expect(engine.statistics.pathLossCount == 1)
  }

  @Test func whatIsToBeTriedAgainGoesElsewhereWhenItsPathIsOnProbation() {
    var engine = makeEngine()
    var silent = update(.optimized, 1)
    silent.isOnProbation = true
    for index in 0..<2 { _ = engine.admit(index, isModifying: true, nowNanoseconds: 1) }
    // Not on probation yet: the same path again.
    let here = engine.completed(0, outcome: .deviceError, status: .commandAbortRequested, nowNanoseconds: 2)
    #expect(here == .submit(path: 0))
    engine.update(0, silent)
    let elsewhere = engine.completed(1, outcome: .deviceError, status: .commandAbortRequested, nowNanoseconds: 3)
    #expect(elsewhere == .submit(path: 1))
    // It counts as a retry as before, and where there is no other path it stays.
    #expect(engine.statistics.retryCount == 2)
    engine.update(1, update(.unavailable(.lost), 2))
    let only = engine.completed(0, outcome: .deviceError, status: .commandAbortRequested, nowNanoseconds: 4)
    #expect(only == .submit(path: 0))
  }

  /// The rule against corruption: a write of unknown outcome waits out the old controller; one that was not sent does not.
  @Test func anUnknownWriteWaitsUntilItsOldPathIsQuiesced() {
    var engine = makeEngine()
    let start = 100 * Self.second
    for index in 0..<2 { _ = engine.admit(index, isModifying: true, nowNanoseconds: start) }
    #expect(
      engine.completed(0, outcome: .notSent, status: .hostPathingError, nowNanoseconds: start) == .submit(path: 1))
    #expect(
      engine.completed(1, outcome: .connectionLost, status: .hostPathingError, nowNanoseconds: start) == .hold)
    #expect(engine.statistics.fenceCount == 1 && engine.statistics.heldCount == 1)
    #expect(engine.nextDeadlineNanoseconds == start + 40 * Self.second)
    #expect(released(&engine, start + 40 * Self.second - 1).isEmpty)
    // The old path's return changes nothing: a new association does not end the old one's commands.
    engine.update(0, update(.optimized, 3))
    #expect(released(&engine, start + 39 * Self.second).isEmpty)
    #expect(engine.nextDeadlineNanoseconds == start + 40 * Self.second)
    let late = released(&engine, start + 40 * Self.second)
    #expect(late.count == 1 && late[1] != nil && late[1] != .hold)
    #expect(engine.nextDeadlineNanoseconds == nil && engine.heldCount == 0)
    #expect(
      engine.completed(1, outcome: .success, status: .success, nowNanoseconds: start + 41 * Self.second) == .finish)
    #expect(engine.statistics.longestStallNanoseconds == 41 * Self.second)
  }

  /// A request of several commands may have been carried out in part when one of them fails: should it then not be sent
  /// again, it must not be reported as not sent.
  @Test(arguments: [
    (BlockOutcome.deviceError, StatusField(.generic, 0x21, commandRetryDelay: 1)), (.shortData, .dataTransferError),
    (.deviceError, .asymmetricAccessInaccessible),
  ])
  func whatAControllerHasAnsweredIsNeverReportedAsNotSent(outcome: BlockOutcome, status: StatusField) {
    for isModifying in [true, false] {
      var engine = makeEngine(paths: 1)
      _ = engine.admit(0, isModifying: isModifying, nowNanoseconds: 1)
      if engine.completed(0, outcome: outcome, status: status, nowNanoseconds: 2) == .hold {
        engine.update(0, update(.optimized, 1))
        #expect(released(&engine, 2 + Self.second) == [0: .submit(path: 0)])
      }
      engine.update(0, update(.unavailable(.disabled), 1))
      let decision = engine.completed(
        0, outcome: .notSent, status: .hostPathingError, nowNanoseconds: 3 + Self.second)
      #expect(decision == .fail(isModifying ? .connectionLost : .notSent, .hostPathingError))
    }
  }

  @Test func aProofThatTheOldPathIsQuiescedEndsTheWait() {
    var engine = makeEngine()
    _ = engine.admit(0, isModifying: true, nowNanoseconds: 1)
    _ = engine.completed(0, outcome: .connectionLost, status: .hostPathingError, nowNanoseconds: 2)
    // Another association's, or another path's, is no proof.
    engine.quiesced(0, association: 7)
    engine.quiesced(1, association: 1)
    #expect(released(&engine, 3).isEmpty)
    engine.quiesced(0, association: 1)
    #expect(released(&engine, 4) == [0: .submit(path: 1)])
    // What is lost of it afterwards need not wait either.
    engine = makeEngine()
    engine.quiesced(0, association: 1)
    _ = engine.admit(0, isModifying: true, nowNanoseconds: 1)
    let decision = engine.completed(0, outcome: .connectionLost, status: .hostPathingError, nowNanoseconds: 2)
    #expect(decision == .submit(path: 1))
  }

  /// What ends late belongs to the association that it was sent in: the path may have made another one since, or another
  /// controller, which forgets sooner, may be in its place.
  @Test(arguments: [false, true]) func aFenceIsThatOfTheAssociationThatWasLost(isOtherPath: Bool) {
    var engine = makeEngine(paths: 1)
    _ = engine.admit(0, isModifying: true, nowNanoseconds: 1)
    if isOtherPath { engine.remove(0) }
    engine.update(0, update(.optimized, 9, 2))
    let decision = engine.completed(0, outcome: .connectionLost, status: .hostPathingError, nowNanoseconds: 2)
    #expect(decision == .hold)
    #expect(engine.nextDeadlineNanoseconds == 2 + 40 * Self.second)
    engine.quiesced(0, association: 9)
    #expect(released(&engine, 3 + 2 * Self.second).isEmpty)
    engine.quiesced(0, association: 1)
    #expect(released(&engine, 4 + 2 * Self.second) == [0: .submit(path: 0)])
  }

  @Test func whatHadBeenQuiescedBeforeItsEndCameDoesNotWait() {
    var engine = makeEngine(paths: 1)
    _ = engine.admit(0, isModifying: true, nowNanoseconds: 1)
    engine.quiesced(0, association: 1)
    engine.update(0, update(.optimized, 9))
    let decision = engine.completed(0, outcome: .connectionLost, status: .hostPathingError, nowNanoseconds: 2)
    #expect(decision == .submit(path: 0))
  }

  @Test func theOptOutIsCounted() {
    var engine = makeEngine { $0.unknownWrites = .resendAtOnceRiskingCorruption }
    _ = engine.admit(0, isModifying: true, nowNanoseconds: 1)
    let decision = engine.completed(0, outcome: .connectionLost, status: .hostPathingError, nowNanoseconds: 2)
    #expect(decision == .submit(path: 1))
    #expect(engine.statistics.unfencedResendCount == 1 && engine.statistics.fenceCount == 0)
  }

  @Test func withoutKeepAliveAnUnknownWriteFailsAsUnknown() {
    var engine = makeEngine(quiesceSeconds: nil)
    _ = engine.admit(0, isModifying: true, nowNanoseconds: 1)
    let decision = engine.completed(0, outcome: .connectionLost, status: .hostPathingError, nowNanoseconds: 2)
    #expect(decision == .fail(.connectionLost, .hostPathingError))
    #expect(engine.statistics.failureCount == 1)
  }

  @Test func withoutAPathRequestsWaitForOne() {
    var engine = makeEngine(paths: 1)
    engine.update(0, update(.unavailable(.lost), 1))
    for index in 0..<3 { #expect(engine.admit(index, isModifying: true, nowNanoseconds: 1) == .hold) }
    // Nothing to be done by time: nothing spins.
    #expect(engine.nextDeadlineNanoseconds == nil)
    #expect(released(&engine, 1000).isEmpty)
    engine.update(0, update(.optimized, 2))
    engine.beginRelease()
    var order: [Int] = []
    while let next = engine.nextReleased(nowNanoseconds: 5000) {
      #expect(next.decision == .submit(path: 0))
      order.append(next.index)
    }
    #expect(order == [0, 1, 2])
    #expect(engine.statistics.holdCount == 3 && engine.statistics.heldCount == 0)
  }

  @Test func fastFailEndsWhatIsHeldAndSaysWhatIsKnown() {
    var engine = makeEngine(paths: 1)
    _ = engine.admit(0, isModifying: true, nowNanoseconds: 1)
    _ = engine.admit(1, isModifying: false, nowNanoseconds: 1)
    _ = engine.completed(0, outcome: .connectionLost, status: .hostPathingError, nowNanoseconds: 2)
    #expect(engine.completed(1, outcome: .connectionLost, status: .hostPathingError, nowNanoseconds: 2) == .hold)
    #expect(engine.admit(2, isModifying: true, nowNanoseconds: 3) == .hold)
    engine.update(0, update(.unavailable(.fastIOFail), 1))
    let ends = released(&engine, 4)
    // The write may have been carried out, the one that came later has not.
    #expect(ends[0] == .fail(.connectionLost, .hostPathingError))
    #expect(ends[1] == .fail(.connectionLost, .hostPathingError))
    #expect(ends[2] == .fail(.notSent, .hostPathingError))
    #expect(engine.admit(3, isModifying: false, nowNanoseconds: 5) == .fail(.notSent, .hostPathingError))
    #expect(engine.heldCount == 0)
  }

  /// A write that was lost, waited, was handed to a path and not sent there, is still one that may have been carried out.
  @Test func unknownStaysUnknown() {
    var engine = makeEngine()
    _ = engine.admit(0, isModifying: true, nowNanoseconds: 1)
    _ = engine.completed(0, outcome: .connectionLost, status: .hostPathingError, nowNanoseconds: 2)
    #expect(released(&engine, 100 * Self.second) == [0: .submit(path: 1)])
    engine.update(0, update(.unavailable(.deleted), 1))
    engine.update(1, update(.unavailable(.deleted), 2))
    let decision = engine.completed(0, outcome: .notSent, status: .hostPathingError, nowNanoseconds: 101 * Self.second)
    #expect(decision == .fail(.connectionLost, .hostPathingError))
  }

  @Test func retriesAreLimitedAndWaitAsAsked() {
    var engine = makeEngine { $0.retryLimit = 2 }
    _ = engine.admit(0, isModifying: true, nowNanoseconds: 1)
    // CRD 2: CRDT2 is 20 × 100 ms.
    let delayed = StatusField(.generic, 0x21, commandRetryDelay: 2)
    #expect(engine.completed(0, outcome: .deviceError, status: delayed, nowNanoseconds: 1) == .hold)
    #expect(engine.nextDeadlineNanoseconds == 2 * Self.second + 1)
    #expect(released(&engine, 2 * Self.second).isEmpty)
    #expect(released(&engine, 2 * Self.second + 1) == [0: .submit(path: 0)])
    let plain = StatusField(.generic, 0x21)
    #expect(engine.completed(0, outcome: .deviceError, status: plain, nowNanoseconds: 9) == .submit(path: 0))
    #expect(engine.completed(0, outcome: .deviceError, status: plain, nowNanoseconds: 9) == .fail(.deviceError, plain))
    #expect(engine.statistics.retryCount == 2)
    // Do Not Retry is not retried.
    _ = engine.admit(1, isModifying: true, nowNanoseconds: 1)
    let final = StatusField(.generic, 0x21, doNotRetry: true)
    #expect(engine.completed(1, outcome: .deviceError, status: final, nowNanoseconds: 9) == .fail(.deviceError, final))
    // Damaged data is read again.
    _ = engine.admit(2, isModifying: false, nowNanoseconds: 1)
    let damaged = engine.completed(2, outcome: .dataDigestError, status: .transientTransportError, nowNanoseconds: 9)
    #expect(damaged == .submit(path: 0))
  }

  @Test func failuresOfPathsDoNotCountAsRetries() {
    var engine = makeEngine { $0.retryLimit = 0 }
    _ = engine.admit(0, isModifying: true, nowNanoseconds: 1)
    var now = Self.second
    var path = 0
    for _ in 0..<50 {
      var decision = engine.completed(
        0, outcome: .deviceError, status: .internalPathError, nowNanoseconds: now)
      if decision == .hold {
        // After some paths in a row it pauses.
        #expect(engine.nextDeadlineNanoseconds == now + MultipathEngine.pathErrorDelayNanoseconds)
        now += MultipathEngine.pathErrorDelayNanoseconds
        decision = released(&engine, now)[0] ?? .hold
      }
      // The other one each time.
      #expect(decision == .submit(path: 1 - path))
      path = 1 - path
    }
    #expect(engine.statistics.retryCount == 0)
    #expect(now > 40 * MultipathEngine.pathErrorDelayNanoseconds)
    #expect(engine.completed(0, outcome: .success, status: .success, nowNanoseconds: now) == .finish)
  }

  @Test func anANAStatusTakesThePathOutUntilTheLogIsRead() {
    var engine = makeEngine()
    for index in 0..<2 { _ = engine.admit(index, isModifying: true, nowNanoseconds: 1) }
    for index in 0..<2 {
      let decision = engine.completed(
        index, outcome: .deviceError, status: .asymmetricAccessInaccessible, nowNanoseconds: 2)
      #expect(decision == .submit(path: 1))
    }
    #expect(engine.pathsWantingAccessRefresh == 0b01)
    #expect(engine.admit(2, isModifying: true, nowNanoseconds: 3) == .submit(path: 1))
    #expect(engine.selector.availability(of: 0) == .unavailable(.asymmetricAccessChanging))
    engine.update(0, update(.unavailable(.asymmetricAccess(.inaccessible)), 1))
    #expect(engine.selector.availability(of: 0) == .unavailable(.asymmetricAccess(.inaccessible)))
    engine.update(0, update(.optimized, 1))
    #expect(engine.selector.availability(of: 0) == .optimized)
  }

  @Test func lateNewsOfALostAssociationIsNotBelieved() {
    var engine = makeEngine(paths: 1)
    _ = engine.admit(0, isModifying: false, nowNanoseconds: 1)
    #expect(engine.completed(0, outcome: .connectionLost, status: .hostPathingError, nowNanoseconds: 2) == .hold)
    // It was on its way when the connection broke.
    engine.update(0, update(.optimized, 1))
    #expect(released(&engine, 3).isEmpty)
    engine.update(0, update(.optimized, 2))
    #expect(released(&engine, 4) == [0: .submit(path: 0)])
  }

  @Test func aRemovedPathsRequestsGoElsewhere() {
    var engine = makeEngine()
    _ = engine.admit(0, isModifying: false, nowNanoseconds: 1)
    engine.remove(0)
    #expect(engine.admit(1, isModifying: true, nowNanoseconds: 1) == .submit(path: 1))
    #expect(engine.completed(0, outcome: .notSent, status: .hostPathingError, nowNanoseconds: 2) == .submit(path: 1))
    engine.remove(1)
    #expect(engine.admit(2, isModifying: true, nowNanoseconds: 3) == .fail(.notSent, .hostPathingError))
    #expect(engine.completed(1, outcome: .success, status: .success, nowNanoseconds: 4) == .finish)
    #expect(engine.selector.outstandingCount(of: 1) == 1)
  }
}
