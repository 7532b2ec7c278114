import NVMeHost
import NVMeProtocol
import Testing

@Suite struct KeepAliveTests {
  @Test func sentEachHalfPeriod() {
    var harness = MachineHarness { $0.keepAliveTimeoutMilliseconds = 10_000 }
    harness.start()
    harness.pass(milliseconds: 4_999)
    #expect(harness.count(of: "Keep Alive") == 0)
    harness.pass(milliseconds: 1)
    #expect(harness.count(of: "Keep Alive") == 1)
    harness.pass(milliseconds: 3_600_000)
    #expect(harness.count(of: "Keep Alive") == 721)
    #expect(harness.machine.state == .ready)
  }

  @Test func switchedOff() {
    var harness = MachineHarness { $0.keepAliveTimeoutMilliseconds = 0 }
    harness.start()
    #expect(harness.machine.nextDeadlineNanoseconds == nil)
    harness.pass(milliseconds: 1_000_000)
    #expect(harness.count(of: "Keep Alive") == 0)
  }

  @Test func unansweredIsLost() {
    var harness = MachineHarness { $0.keepAliveTimeoutMilliseconds = 10_000 }
    harness.override = { _, entry in entry.opcode == AdminOpcode.keepAlive.rawValue ? .hold : nil }
    harness.start()
    harness.pass(milliseconds: 14_999)
    #expect(harness.machine.state == .ready)
    // Only one at a time is outstanding.
    #expect(harness.count(of: "Keep Alive") == 1)
    harness.pass(milliseconds: 1)
    #expect(harness.closedError == .some(.keepAliveTimeout(milliseconds: 10_000)))
    #expect(harness.reports.suffix(2) == [.closeQueues, .closed(.keepAliveTimeout(milliseconds: 10_000))])
  }

  @Test func lateAnswerIsInTime() {
    var harness = MachineHarness { $0.keepAliveTimeoutMilliseconds = 10_000 }
    harness.override = { _, entry in entry.opcode == AdminOpcode.keepAlive.rawValue ? .hold : nil }
    harness.start()
    harness.pass(milliseconds: 5_000)
    for _ in 0..<5 {
      harness.pass(milliseconds: 9_000)
      harness.answerHeld("Keep Alive", .result(0))
      #expect(harness.machine.state == .ready)
      // The one that fell due meanwhile was left out; the next comes in time.
      harness.pass(milliseconds: 1_000)
    }
  }

  /// - Returns: a machine that is ready, of a controller that goes by traffic.
  private func trafficBased(_ traffic: Bool?) -> MachineHarness {
    var harness = MachineHarness { $0.keepAliveTimeoutMilliseconds = 10_000 }
    harness.controller.identify.controllerAttributes = 1 << 6
    harness.traffic = traffic
    harness.start()
    return harness
  }

  @Test func trafficMakesItUnnecessary() {
    var harness = trafficBased(true)
    harness.pass(milliseconds: 3_600_000)
    #expect(harness.count(of: "Keep Alive") == 0)
    #expect(harness.machine.state == .ready)
    // The traffic ends: a command right after the look before is the last that the controller may have seen.
    harness.traffic = false
    harness.pass(milliseconds: 2_500)
    #expect(harness.count(of: "Keep Alive") == 1)
  }

  @Test func queuesThatDoNotTellHaveNoTraffic() {
    var harness = trafficBased(nil)
    harness.pass(milliseconds: 4_999)
    #expect(harness.count(of: "Keep Alive") == 0)
    // Half of KATO after the last that is known.
    harness.pass(milliseconds: 1)
    #expect(harness.count(of: "Keep Alive") == 1)
    harness.pass(milliseconds: 50_000)
    #expect(harness.count(of: "Keep Alive") == 11)
    // Whoever tells after all is not heard any more.
    harness.send(.traffic(false))
    #expect(harness.count(of: "Keep Alive") == 11)
  }

  @Test func oneThatIsNotAnsweredIsALossInSpiteOfTraffic() {
    var harness = trafficBased(false)
    harness.override = { _, entry in entry.opcode == AdminOpcode.keepAlive.rawValue ? .hold : nil }
    harness.pass(milliseconds: 2_500)
    harness.traffic = true
    harness.pass(milliseconds: 9_999)
    #expect(harness.machine.state == .ready)
    harness.pass(milliseconds: 1)
    #expect(harness.closedError == .some(.keepAliveTimeout(milliseconds: 10_000)))
  }

  @Test func aControllerThatDoesNotGoByTrafficIsNotSparedAny() {
    var harness = MachineHarness { $0.keepAliveTimeoutMilliseconds = 10_000 }
    harness.traffic = true
    harness.start()
    harness.pass(milliseconds: 50_000)
    #expect(harness.count(of: "Keep Alive") == 10)
  }

  @Test func refused() {
    var harness = MachineHarness()
    harness.override = { _, entry in
      entry.opcode == AdminOpcode.keepAlive.rawValue ? .status(.keepAliveTimerExpired) : nil
    }
    harness.start()
    harness.pass(milliseconds: 6_000)
    #expect(harness.closedError == .some(.refused(step: "a keep alive", .keepAliveTimerExpired)))
  }
}
