import NVMeHost
import NVMeProtocol
import Testing

@Suite struct LossDetectionTests {
  @Test func aFatalStatusIsNoticed() {
    var harness = MachineHarness()
    harness.start()
    harness.pass(milliseconds: 60_000)
    #expect(harness.machine.state == .ready)
    harness.controller.fatal = true
    harness.pass(milliseconds: 5_000)
    #expect(harness.closedError == .some(.fatalStatus))
  }

  @Test func aControllerThatIsNotReadyAnyMoreIsNoticed() {
    var harness = MachineHarness()
    harness.start()
    harness.controller.pollsUntilReady = nil
    harness.pass(milliseconds: 60_000)
    #expect(harness.closedError == .some(.noLongerReady))
  }

  @Test func aPersistentInternalErrorIsALoss() {
    var harness = MachineHarness()
    harness.start()
    // One that passes is not.
    harness.raise(AsynchronousEvent(kind: .errorStatus, information: 4, logPage: .errorInformation))
    #expect(harness.machine.state == .ready)
    harness.raise(.persistentInternalError)
    #expect(harness.closedError == .some(.persistentInternalError))
  }

  @Test func aControllerThatDoesNotTellItsStatusIsNoBrokenOne() {
    var harness = MachineHarness()
    harness.start()
    harness.override = { _, entry in
      entry.fabricsCommandType == .propertyGet ? .status(.invalidFieldInCommand) : nil
    }
    harness.pass(milliseconds: 60_000)
    #expect(harness.machine.state == .ready)
  }

  @Test func aStatusThatIsNotToldIsAskedForOnce() {
    var harness = MachineHarness()
    harness.start()
    harness.override = { _, entry in entry.fabricsCommandType == .propertyGet ? .hold : nil }
    let before = harness.count(of: "Property Get")
    harness.pass(milliseconds: 59_000)
    #expect(harness.count(of: "Property Get") == before + 1 && harness.machine.state == .ready)
    harness.pass(milliseconds: 10_000)
    #expect(harness.closedError == .some(.adminTimeout(step: "reading CSTS", milliseconds: 60_000)))
  }

  private func anaHarness() -> MachineHarness {
    var harness = MachineHarness()
    harness.controller.identify.multipathCapabilities = 1 << 3
    harness.controller.identify.anaGroupCount = 1
    harness.controller.identify.anaTransitionTimeSeconds = 7
    harness.controller.ana = ANALog(groups: [ANALog.Group(identifier: 1, state: .optimized)])
    harness.start()
    return harness
  }

  @Test func anANATransitionHasItsTime() {
    var harness = anaHarness()
    harness.controller.ana.groups[0].state = .change
    harness.raise(.anaChange)
    harness.pass(milliseconds: 6_000)
    // Further news of the same transition does not give it more time.
    harness.raise(.anaChange)
    harness.pass(milliseconds: 999)
    #expect(harness.machine.state == .ready)
    harness.pass(milliseconds: 1)
    #expect(harness.closedError == .some(.anaTransitionTimeout(seconds: 7)))
  }

  @Test func eachANAGroupHasItsOwnTime() {
    var harness = anaHarness()
    // Of two groups that change one after the other neither takes too long; nor does one that changes twice in a row.
    harness.controller.ana.groups.append(ANALog.Group(identifier: 2, state: .optimized))
    harness.controller.ana.groups[0].state = .change
    harness.raise(.anaChange)
    harness.pass(milliseconds: 6_000)
    harness.controller.ana.groups[0].state = .optimized
    harness.controller.ana.groups[1].state = .change
    harness.raise(.anaChange)
    harness.pass(milliseconds: 6_000)
    harness.controller.ana.groups[1].changeCount = 5
    harness.raise(.anaChange)
    harness.pass(milliseconds: 6_999)
    #expect(harness.machine.state == .ready)
    harness.pass(milliseconds: 1)
    #expect(harness.closedError == .some(.anaTransitionTimeout(seconds: 7)))
  }

  @Test func anANATransitionThatEndsInTimeIsNoLoss() {
    var harness = anaHarness()
    for _ in 0..<3 {
      harness.controller.ana.groups[0].state = .change
      harness.raise(.anaChange)
      harness.pass(milliseconds: 6_000)
      harness.controller.ana.groups[0].state = .optimized
      harness.raise(.anaChange)
      harness.pass(milliseconds: 6_000)
    }
    #expect(harness.machine.state == .ready)
  }

  @Test func whoAsksForTheANALogIsAlwaysAnswered() {
    var harness = anaHarness()
    harness.clearReports()
    harness.controller.ana.groups[0].state = .inaccessible
    harness.send(.refreshANALog)
    #expect(harness.reports == [.anaChanged] && harness.machine.anaState(ofGroup: 1) == .inaccessible)
    // Also where the controller would not say.
    harness.override = { _, entry in
      entry.opcode == AdminOpcode.getLogPage.rawValue ? .status(.internalError) : nil
    }
    harness.send(.refreshANALog)
    #expect(harness.reports == [.anaChanged, .anaChanged] && harness.machine.state == .ready)
  }
}
