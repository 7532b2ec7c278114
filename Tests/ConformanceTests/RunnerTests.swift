import Conformance
import Synchronization
import Testing

@Suite("The conformance runner")
struct RunnerTests {
  private static func runner(
    _ cases: [ConformanceCase], namespaces: [UInt32] = [1], destructive: Bool = true, isStrict: Bool = false
  ) -> ConformanceRunner {
    var target = ConformanceTarget(host: "192.0.2.1", port: 4420, subsystemNQN: "nqn.2026-01.example:none")
    target.namespaceIdentifiers = namespaces
    return ConformanceRunner(cases: cases, target: target, allowsDestructive: destructive, isStrict: isStrict)
  }

  @Test("outcomes come from what the body throws")
  func outcomes() async {
    let results = await Self.runner([
      ConformanceCase("x.pass", "passes") { $0.notes.add("seen") },
      ConformanceCase("x.fail", "fails") { _ in throw ConformanceFailure("bad") },
      ConformanceCase("x.skip", "skips") { _ in throw ConformanceSkip("not here") },
      ConformanceCase("x.error", "meets something else") { _ in throw CancellationError() },
    ]).run()
    #expect(results.map(\.identifier) == ["x.pass", "x.fail", "x.skip", "x.error"])
    #expect(results[0].outcome == .passed)
    #expect(results[0].notes == ["seen"])
    #expect(results[1].outcome == .failed("bad"))
    #expect(results[2].outcome == .skipped("not here"))
    #expect(results[3].isFailure)
  }

  @Test("what a case needs and is not there skips it, and it does not run")
  func needs() async {
    func neverRuns(_ needs: ConformanceNeeds) -> ConformanceCase {
      ConformanceCase("x.needs", "must not run", needs: needs) { _ in Issue.record("it ran") }
    }
    let refused = [
      await Self.runner([neverRuns(.destructive)], destructive: false).run(),
      await Self.runner([neverRuns(.destructive)], namespaces: []).run(),
      await Self.runner([neverRuns(.control)]).run(),
      await Self.runner([neverRuns(.secondPort)]).run(),
    ]
    for results in refused {
      guard case .skipped(let reason) = results[0].outcome else {
        Issue.record("\(results[0].outcome)")
        continue
      }
      #expect(!reason.isEmpty)
    }
  }

  @Test("of an interrupted run the case at hand ends, and the others are skipped")
  func interruption() async {
    let isInterrupted = Atomic<Bool>(false)
    var runner = Self.runner([
      ConformanceCase("x.last", "is the last to run") { _ in isInterrupted.store(true, ordering: .relaxed) },
      ConformanceCase("x.needs", "must not run") { _ in Issue.record("it ran") },
    ])
    runner.isInterrupted = { isInterrupted.load(ordering: .relaxed) }
    let results = await runner.run()
    #expect(results.map(\.outcome) == [.passed, .skipped("the run was interrupted")])
  }

  @Test("a case that hangs fails at its deadline, even when it ignores its cancellation")
  func deadline() async {
    let results = await Self.runner([
      ConformanceCase("x.hang", "hangs", deadline: .milliseconds(50)) { _ in
        await withUnsafeContinuation { (_: UnsafeContinuation<Void, Never>) in }
      },
      ConformanceCase("x.next", "runs all the same") { _ in },
    ]).run()
    #expect(results[0].isFailure)
    #expect(results[1].outcome == .passed)
  }

  @Test("deviations fail only where they are asked to")
  func deviations() async {
    let cases = [ConformanceCase("x.deviates", "bends a rule") { $0.notes.deviation("bent") }]
    let lenient = await Self.runner(cases).run()
    #expect(lenient[0].outcome == .passed)
    #expect(lenient[0].deviations == ["bent"])
    let strict = await Self.runner(cases, isStrict: true).run()
    #expect(strict[0].outcome == .failed("bent"))
  }

  @Test("cases are chosen by a part of their identifier, or by a pattern")
  func matching() {
    #expect(ConformanceSuite.cases(matching: "*").count == ConformanceSuite.cases.count)
    #expect(ConformanceSuite.cases(matching: "connect.admin").map(\.identifier) == ["connect.admin"])
    #expect(ConformanceSuite.cases(matching: "connect.*").allSatisfy { $0.identifier.hasPrefix("connect.") })
    #expect(!ConformanceSuite.cases(matching: "disconnect").isEmpty)
    #expect(ConformanceSuite.cases(matching: "no-such-case").isEmpty)
    #expect(Set(ConformanceSuite.cases.map(\.identifier)).count == ConformanceSuite.cases.count)
  }

  @Test("each case of the suite has its place in the specifications, which its failure names")
  func specifications() async throws {
    for conformanceCase in ConformanceSuite.cases {
      #expect(conformanceCase.specification != nil, "\(conformanceCase)")
    }
    let results = await Self.runner([
      ConformanceCase("io.r2t-limit", "fails") { _ in throw ConformanceFailure("too many") }
    ]).run()
    #expect(
      results[0].outcome
        == .failed("too many (NVMe/TCP Transport 1.1, section 3.3.2.2 and 3.6.2.2, MAXR2T)"))
  }

  @Test("an unreachable target is said to be so")
  func unreachable() async {
    // Port 1 of loopback: nothing listens there.
    let target = ConformanceTarget(host: "127.0.0.1", port: 1, subsystemNQN: "nqn.2026-01.example:none")
    #expect(await ConformanceTargetProbe.reasonUntestable(target) != nil)
  }
}
