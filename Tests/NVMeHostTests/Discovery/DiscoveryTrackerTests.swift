import NVMeHost
import NVMeProtocol
import Testing

@Suite struct DiscoveryTrackerTests {
  private func entry(
    _ host: String, _ nqn: String = "nqn.2016-06.io.example:a", type: DiscoveryLogEntry.SubsystemType = .nvm,
    flags: UInt16 = 0
  ) -> DiscoveryLogEntry {
    var entry = DiscoveryTests.entry(host, port: type == .nvm ? "4420" : "8009", nqn: nqn, type: type)
    entry.flags = flags
    return entry
  }

  private func referral(_ host: String, flags: UInt16 = 0) -> DiscoveryLogEntry {
    entry(host, NVMeQualifiedName.discovery, type: .referral, flags: flags)
  }

  private func own(_ host: String, _ nqn: String = NVMeQualifiedName.discovery, flags: UInt16 = 0) -> DiscoveryLogEntry
  {
    entry(host, nqn, type: .currentDiscovery, flags: flags)
  }

  @Test func attachesAndDetachesWhatChanges() throws {
    var harness = TrackerHarness()
    harness.logs["a"] = [own("a"), entry("x"), entry("y")]
    harness.send(.start)
    let nqn = "nqn.2016-06.io.example:a"
    #expect(harness.paths == ["x \(nqn)", "y \(nqn)"])
    _ = harness.takeEvents()
    try harness.change("a", [own("a"), entry("y"), entry("z")])
    #expect(harness.paths == ["y \(nqn)", "z \(nqn)"])
    // First what comes, then what goes: a subsystem that moves is never without a path.
    let kinds = harness.takeEvents().map { event in
      switch event {
      case .logChanged(let change):
        "changed +\(change.added.map(\.entry.transportAddress)) -\(change.removed.map(\.entry.transportAddress))"
      case .attach(let paths): "attach \(paths.map(\.target.host))"
      case .detach(let paths): "detach \(paths.map(\.target.host))"
      default: "\(event)"
      }
    }
    #expect(kinds == [#"changed +["z"] -["x"]"#, #"attach ["z"]"#, #"detach ["x"]"#])
    // The same log under another generation is no news.
    try harness.change("a", [own("a"), entry("y"), entry("z")])
    #expect(harness.takeEvents().isEmpty)
  }

  @Test func aLostServiceDetachesNothing() throws {
    var harness = TrackerHarness()
    harness.logs["a"] = [entry("x"), referral("b")]
    harness.logs["b"] = [entry("y")]
    harness.send(.start)
    #expect(harness.paths.count == 2)
    let (a, b) = (try harness.service("a"), try harness.service("b"))
    _ = harness.takeEvents()
    harness.send(.lost(a, .disconnected))
    harness.send(.lost(a, .fatalStatus))
    harness.send(.failed(b, .fatalStatus))
    #expect(harness.paths.count == 2)
    // A loss is told once, however many attempts fail.
    #expect(harness.takeEvents().count == 2)
    // It comes back with another log, which no event has told of.
    harness.logs["a"] = [referral("b")]
    harness.send(.connected(a, reportsChanges: true))
    #expect(harness.paths == ["y nqn.2016-06.io.example:a"])
    // The service that had been given up is tried again, as it is named again.
    #expect(harness.tracker.serviceReports.allSatisfy { $0.isConnected && $0.error == nil })
  }

  @Test func anUnreadableLogDetachesNothingAndIsReadAgain() throws {
    var harness = TrackerHarness()
    harness.logs["a"] = [entry("x")]
    harness.send(.start)
    let a = try harness.service("a")
    harness.logs["a"] = nil
    _ = harness.takeEvents()
    harness.send(.logChanged(a))
    #expect(harness.paths.count == 1)
    #expect(harness.takeEvents() == [.logUnreadable(TargetIdentifier(host: "a", port: 8009), .refused(.internalError))])
    let start = harness.now
    for _ in 0..<10 { try harness.passDeadline() }
    // 1 + 2 + 4 + … s, at most 64 s apart, and the error told once.
    #expect(harness.now - start == (127 + 3 * 64) * 1_000_000_000)
    #expect(harness.takeEvents().isEmpty)
    harness.logs["a"] = []
    try harness.passDeadline()
    #expect(harness.paths.isEmpty && harness.tracker.nextDeadlineNanoseconds == nil)
  }

  @Test func oneReadingAtATime() throws {
    var harness = TrackerHarness()
    harness.logs["a"] = []
    harness.holdsReads = true
    harness.send(.start)
    let a = try harness.service("a")
    for _ in 0..<100 { harness.send(.logChanged(a)) }
    #expect(harness.readCount == 1)
    // What has changed while it was read is read once more.
    harness.answer(a)
    harness.send(.deadline)
    #expect(harness.readCount == 2)
    harness.answer(a)
    harness.send(.deadline)
    #expect(harness.readCount == 2)
    // An answer that nobody has asked for is none.
    harness.logs["a"] = [entry("x")]
    harness.answer(a)
    #expect(harness.paths.isEmpty)
    // What was being read when the service was lost is not waited for.
    harness.send(.logChanged(a))
    harness.send(.lost(a, .disconnected))
    harness.send(.connected(a, reportsChanges: true))
    #expect(harness.readCount == 4)
  }

  @Test func servicesThatDoNotTellAreAsked() throws {
    var harness = TrackerHarness(pollMilliseconds: 5000)
    harness.reportsChanges = false
    harness.logs["a"] = []
    harness.send(.start)
    harness.logs["a"] = [entry("x")]
    try harness.passDeadline()
    #expect(harness.now == 6_000_000_000 && harness.paths.count == 1)
  }

  @Test func referralsInACircleEndAndGo() throws {
    var harness = TrackerHarness()
    harness.logs["a"] = [referral("b"), entry("x")]
    harness.logs["b"] = [referral("c"), referral("A"), entry("x"), entry("y")]
    harness.logs["c"] = [referral("b"), referral("c"), entry("z")]
    harness.send(.start)
    #expect(harness.connectedHosts == ["a", "b", "c"] && harness.connectCount == 3)
    #expect(harness.paths.count == 3)
    // b and c still refer to each other, but nothing leads there any more. x is named by a, too.
    try harness.change("a", [entry("x")])
    #expect(harness.connectedHosts == ["a"])
    #expect(harness.paths == ["x nqn.2016-06.io.example:a"])
  }

  @Test func referralsAreBounded() throws {
    var harness = TrackerHarness(depth: 2, services: 4)
    harness.logs["a"] = (0..<10).map { referral("r\($0)") }
    harness.send(.start)
    #expect(harness.connections.count == 4 && harness.tracker.skippedReferralCount == 7)
    // Those that are watched stay so when others are named before them.
    try harness.change("a", [referral("new")] + (0..<10).map { referral("r\($0)") })
    #expect(harness.connectedHosts == ["a", "r0", "r1", "r2"])

    var chain = TrackerHarness(depth: 2)
    for (from, to) in [("a", "b"), ("b", "c"), ("c", "d"), ("d", "e")] { chain.logs[from] = [referral(to)] }
    chain.send(.start)
    #expect(chain.connectedHosts == ["a", "b", "c"] && chain.tracker.skippedReferralCount == 1)

    var none = TrackerHarness(depth: 0)
    none.logs["a"] = [referral("b")]
    none.send(.start)
    #expect(none.connectedHosts == ["a"])
  }

  @Test func recordsAreBoundedOverAllServices() throws {
    var harness = TrackerHarness(records: 5)
    harness.logs["a"] = [referral("b")] + (0..<3).map { entry("x\($0)") }
    harness.logs["b"] = [entry("y"), entry("z")]
    harness.send(.start)
    #expect(harness.paths.count == 3)
    let report = try #require(harness.tracker.serviceReports.last)
    #expect(report.error == .tooManyRecords(count: 2, limit: 1))
  }

  @Test func duplicateInformationIsReadOnce() {
    // The service itself is one of those that say the same.
    var harness = TrackerHarness()
    harness.logs["a"] = [own("a", flags: 1), referral("b", flags: 1), referral("c", flags: 1), referral("d")]
    harness.send(.start)
    #expect(harness.connectedHosts == ["a", "d"])
    // It is not: one of them is enough.
    var other = TrackerHarness()
    other.logs["a"] = [own("a"), referral("b", flags: 1), referral("c", flags: 1), referral("d")]
    other.send(.start)
    #expect(other.connectedHosts == ["a", "b", "d"])
  }

  @Test func aNameOfItsOwnIsUsed() throws {
    let name = "nqn.2016-06.io.example:discovery"
    var harness = TrackerHarness()
    harness.logs["a"] = [own("a", name), entry("x")]
    harness.send(.start)
    #expect(harness.connections.values.map(\.subsystemNQN) == [name])
    #expect(harness.connectCount == 2 && harness.paths.count == 1)
    #expect(harness.events.contains(.serviceRenamed(TargetIdentifier(host: "a", port: 8009), uniqueNQN: name)))
    #expect(!harness.events.contains { if case .detach = $0 { true } else { false } })
    // A referral to it by either name leads nowhere new.
    try harness.change(
      "a", [own("a", name), entry("x"), referral("a"), entry("a", name, type: .referral)])
    #expect(harness.connectCount == 2)
    // The name does not work any more: back to the well-known one, and no other is tried.
    harness.refusedNQNs = [name, name + "2"]
    harness.logs["a"] = [own("a", name + "2")]
    harness.send(.failed(try harness.service("a"), .fatalStatus))
    #expect(harness.connections.values.map(\.subsystemNQN) == [NVMeQualifiedName.discovery])
    #expect(harness.connectCount == 3 && harness.paths.isEmpty)
  }

  @Test func ofSeveralNamesTheOneOfTheAddressIsUsed() {
    let name = "nqn.2016-06.io.example:discovery"
    var harness = TrackerHarness()
    harness.logs["a"] = [own("b", name + "-b"), own("a", name + "-a")]
    harness.send(.start)
    #expect(harness.connections.values.map(\.subsystemNQN) == [name + "-a"])
    var unclear = TrackerHarness()
    unclear.logs["a"] = [own("b", name + "-b"), own("c", name + "-c")]
    unclear.send(.start)
    #expect(unclear.connections.values.map(\.subsystemNQN) == [NVMeQualifiedName.discovery])
  }

  @Test func stopDetachesAndDisconnectsEverything() throws {
    var harness = TrackerHarness()
    harness.logs["a"] = [entry("x"), referral("b")]
    harness.send(.start)
    let a = try harness.service("a")
    harness.send(.stop)
    #expect(harness.connections.isEmpty && harness.paths.isEmpty && harness.tracker.nextDeadlineNanoseconds == nil)
    _ = harness.takeEvents()
    harness.send(.start)
    harness.send(.connected(a, reportsChanges: true))
    harness.send(.deadline)
    #expect(harness.takeEvents().isEmpty && harness.connections.isEmpty)
  }
}
