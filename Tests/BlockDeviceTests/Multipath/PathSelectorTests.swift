import BlockDevice
import Testing

@Suite struct PathSelectorTests {
  private func policy(
    _ selector: MultipathPolicy.Selector, local: Bool = false
  ) throws -> MultipathPolicy {
    try MultipathPolicy(.activeActive(selector), prefersLocalNUMANode: local)
  }

  /// The paths of the next requests, each of which ends at once.
  private func paths(_ selector: inout PathSelector, _ count: Int) -> [Int] {
    (0..<count).map { _ in selector.select() }
  }

  @Test func withoutPathsThereIsNone() throws {
    for policy in [
      MultipathPolicy.activePassive, try policy(.roundRobin(minimumIO: 3)), try policy(.queueDepth),
      try policy(.latency),
    ] {
      var selector = PathSelector(policy: policy)
      #expect(selector.select() == -1 && !selector.hasUsablePath && !selector.mayBecomeUsable)
      selector.setAvailability(.unavailable(.lost), of: 4)
      #expect(selector.select() == -1 && !selector.hasUsablePath && selector.mayBecomeUsable)
      selector.setAvailability(.nonOptimized, of: 4)
      #expect(selector.select() == 4 && selector.hasUsablePath)
      selector.remove(4)
      #expect(selector.select() == -1 && !selector.mayBecomeUsable)
    }
  }

  @Test func aMinimumOfNoIOIsRefused() {
    let error = #expect(throws: MultipathPolicyError.self) {
      try MultipathPolicy(.activeActive(.roundRobin(minimumIO: 0)))
    }
    #expect("\(error!)" == "minimumIO cannot be 0: it is at least 1 for the selector round_robin")
  }

  @Test(arguments: [
    (ANAState.optimized, PathAvailability.optimized),
    (.nonOptimized, .nonOptimized),
    (.inaccessible, .unavailable(.asymmetricAccess(.inaccessible))),
    (.persistentLoss, .unavailable(.asymmetricAccess(.persistentLoss))),
    (.change, .unavailable(.asymmetricAccess(.change))),
    (ANAState(rawValue: 9), .unavailable(.asymmetricAccess(ANAState(rawValue: 9)))),
  ])
  func anaStates(_ state: ANAState, _ availability: PathAvailability) {
    let found = PathAvailability(state: .enabled, disposition: .submit, hasBeenEnabled: true, ana: state)
    #expect(found == availability)
    // Requests wait for anything but a persistent loss.
    #expect(found.mayBecomeUsable == (state != .persistentLoss))
  }

  @Test(arguments: [
    (RecoveryState.resetting, IODisposition.hold, true, PathObstacle.lost),
    (.reconnectDelayed, .hold, true, .lost),
    (.resetting, .fail, true, .fastIOFail),
    (.reconnectDelayed, .fail, true, .fastIOFail),
    (.resetting, .fail, false, .connecting),
    (.failed, .fail, true, .controllerFailed),
    (.disabled, .fail, true, .disabled),
    (.deleting, .fail, true, .deleted),
    (.deleted, .fail, true, .deleted),
  ])
  func recoveryStates(
    _ state: RecoveryState, _ disposition: IODisposition, _ hasBeenEnabled: Bool, _ obstacle: PathObstacle
  ) {
    let found = PathAvailability(
      state: state, disposition: disposition, hasBeenEnabled: hasBeenEnabled, ana: .optimized)
    #expect(found == .unavailable(obstacle))
    #expect(found.mayBecomeUsable == [.lost, .connecting].contains(obstacle))
  }

  @Test func roundRobinTakesTurns() throws {
    var selector = PathSelector(policy: try policy(.roundRobin(minimumIO: 2)))
    for path in [1, 3, 5] { selector.setAvailability(.optimized, of: path) }
    let order = paths(&selector, 12)
    for start in stride(from: 0, to: 12, by: 2) { #expect(order[start] == order[start + 1]) }
    for path in [1, 3, 5] { #expect(order.count { $0 == path } == 4) }
    // A path less, and the others share.
    selector.setAvailability(.unavailable(.lost), of: 3)
    let rest = paths(&selector, 8)
    #expect(Set(rest) == [1, 5] && rest.count { $0 == 1 } == 4)
  }

  @Test(arguments: [
    MultipathPolicy.Spread.activePassive, .activeActive(.roundRobin(minimumIO: 1)), .activeActive(.queueDepth),
    .activeActive(.latency),
  ])
  func optimizedComesFirst(_ spread: MultipathPolicy.Spread) throws {
    var selector = PathSelector(policy: try MultipathPolicy(spread))
    selector.setAvailability(.nonOptimized, of: 0)
    selector.setAvailability(.optimized, of: 1)
    selector.setAvailability(.unavailable(.asymmetricAccess(.inaccessible)), of: 2)
    #expect(Set(paths(&selector, 20)) == [1])
    selector.setAvailability(.unavailable(.asymmetricAccess(.change)), of: 1)
    #expect(Set(paths(&selector, 20)) == [0])
    selector.setAvailability(.unavailable(.lost), of: 0)
    #expect(Set(paths(&selector, 20)) == [-1])
    selector.setAvailability(.optimized, of: 2)
    #expect(Set(paths(&selector, 20)) == [2])
  }

  @Test(arguments: [
    MultipathPolicy.Spread.activePassive, .activeActive(.roundRobin(minimumIO: 1)), .activeActive(.queueDepth),
    .activeActive(.latency),
  ])
  func aPathOnProbationIsUsedWhereThereIsNoOther(_ spread: MultipathPolicy.Spread) throws {
    for failsBack in [true, false] {
      var selector = PathSelector(policy: try MultipathPolicy(spread, failsBackAutomatically: failsBack))
      selector.setAvailability(.optimized, isOnProbation: true, of: 0)
      #expect(selector.hasUsablePath && selector.isCurrent(0))
      #expect(Set(paths(&selector, 300)) == [0])
      // Its ANA state is no better reason than automatic failback is none.
      selector.setAvailability(.nonOptimized, of: 1)
      #expect(Set(paths(&selector, 300)) == [1] && !selector.isCurrent(0))
      // Neither is a wish.
      selector.setPreferred(0)
      #expect(Set(paths(&selector, 300)) == [1])
      #expect(selector.selectOther(than: 1) == 0)
      selector.setAvailability(.nonOptimized, isOnProbation: true, of: 2)
      #expect(selector.selectOther(than: 1) == 0)
      selector.setAvailability(.unavailable(.lost), of: 1)
      #expect(Set(paths(&selector, 300)) == [0])
      selector.setAvailability(.nonOptimized, of: 1)
      selector.setAvailability(.optimized, of: 0)
      #expect(Set(paths(&selector, 300)) == [failsBack || spread != .activePassive ? 0 : 1])
    }
  }

  @Test func queueDepthGoesWhereLeastIsOutstanding() throws {
    var selector = PathSelector(policy: try policy(.queueDepth))
    for path in 0..<3 { selector.setAvailability(.optimized, of: path) }
    for _ in 0..<5 { selector.began(0) }
    for _ in 0..<2 { selector.began(1) }
    for _ in 0..<3 { selector.began(2) }
    #expect(selector.select() == 1)
    selector.began(1)
    selector.began(1)
    #expect(selector.select() == 2)
    for _ in 0..<5 { selector.ended(0) }
    #expect(selector.select() == 0)
    // Equals take turns.
    var even = PathSelector(policy: try policy(.queueDepth))
    for path in 0..<3 { even.setAvailability(.optimized, of: path) }
    #expect(Set(paths(&even, 3)) == [0, 1, 2])
  }

  @Test func latencyGoesWhereItEndsFirst() throws {
    var selector = PathSelector(policy: try policy(.latency))
    for path in 0..<2 { selector.setAvailability(.optimized, of: path) }
    for _ in 0..<50 {
      selector.measured(0, nanoseconds: 100_000)
      selector.measured(1, nanoseconds: 300_000)
    }
    // Up to three times as many outstanding are worth it.
    selector.began(0)
    #expect(selector.select() == 0)
    for _ in 0..<3 { selector.began(0) }
    #expect(selector.select() == 1)
    for _ in 0..<4 { selector.ended(0) }
    // The slower one is looked at now and then, and used once it is the faster one.
    let order = paths(&selector, 1024)
    #expect((2...8).contains(order.count { $0 == 1 }), "\(order.count { $0 == 1 })")
    for _ in 0..<50 { selector.measured(1, nanoseconds: 10_000) }
    #expect(paths(&selector, 100).count { $0 == 1 } >= 98)
  }

  @Test func localPathsComeFirstWhereWanted() throws {
    var selector = PathSelector(policy: try policy(.roundRobin(minimumIO: 1), local: true))
    for path in 0..<4 { selector.setAvailability(.optimized, of: path) }
    selector.setLocal(false, 0)
    selector.setLocal(false, 2)
    #expect(Set(paths(&selector, 20)) == [1, 3])
    // ANA counts for more than the way.
    selector.setAvailability(.nonOptimized, of: 1)
    selector.setAvailability(.nonOptimized, of: 3)
    #expect(Set(paths(&selector, 20)) == [0, 2])
    selector.take(try policy(.roundRobin(minimumIO: 1)))
    selector.setAvailability(.optimized, of: 1)
    #expect(Set(paths(&selector, 20)) == [0, 1, 2])
  }

  @Test func failbackAndItsOffSwitch() throws {
    for isAutomatic in [true, false] {
      var selector = PathSelector(policy: try MultipathPolicy(.activePassive, failsBackAutomatically: isAutomatic))
      selector.setAvailability(.optimized, of: 0)
      selector.setAvailability(.optimized, of: 1)
      selector.setPreferred(0)
      #expect(selector.select() == 0 && selector.isCurrent(0) && !selector.isCurrent(1))
      selector.setAvailability(.unavailable(.lost), of: 0)
      #expect(selector.select() == 1)
      selector.setAvailability(.optimized, of: 0)
      #expect(selector.select() == (isAutomatic ? 0 : 1))
      // ANA asks to leave the path: that is no failback.
      selector.setAvailability(.nonOptimized, of: 1)
      #expect(selector.select() == 0)
      selector.setAvailability(.nonOptimized, of: 0)
      selector.setAvailability(.optimized, of: 1)
      #expect(selector.select() == (isAutomatic ? 1 : 0))
      // A wish is carried out at once.
      selector.setAvailability(.optimized, of: 0)
      selector.setPreferred(0)
      #expect(selector.select() == 0)
    }
  }

  @Test func withoutAPreferenceAReturningPathIsNotRunAfter() throws {
    var selector = PathSelector(policy: .activePassive)
    selector.setAvailability(.optimized, of: 0)
    selector.setAvailability(.optimized, of: 1)
    selector.setAvailability(.unavailable(.lost), of: 0)
    #expect(selector.select() == 1)
    selector.setAvailability(.optimized, of: 0)
    #expect(selector.select() == 1)
  }

  @Test func anotherPathThanTheOneThatFailed() throws {
    var selector = PathSelector(policy: .activePassive)
    selector.setAvailability(.optimized, of: 0)
    #expect(selector.selectOther(than: 0) == -1)
    selector.setAvailability(.nonOptimized, of: 1)
    selector.setAvailability(.nonOptimized, of: 2)
    selector.began(1)
    #expect(selector.selectOther(than: 0) == 2)
    selector.setAvailability(.optimized, of: 3)
    #expect(selector.selectOther(than: 0) == 3)
    #expect(selector.selectOther(than: 3) == 0)
  }
}
