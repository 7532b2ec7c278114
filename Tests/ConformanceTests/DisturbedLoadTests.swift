import BlockDevice
import Testing

@testable import Conformance

/// The frame of the multipath cases must notice what it is there to notice.
@Suite("Loads that are disturbed")
struct DisturbedLoadTests {
  private func outcome(
    failures: DisturbedLoad.Failures = .none, _ disturb: (DisturbedLoad) async throws -> Void
  ) async throws -> (error: String?, notes: [String]) {
    let (control, target) = try await EmbeddedControl.start()
    let context = ConformanceContext(target: target, control: control)
    var error: String?
    do {
      try await DisturbedLoad.run(context, MultipathSession.Options(), failures: failures, disturb)
    } catch let failure {
      error = "\(failure)"
    }
    await control.stop()
    return (error, context.notes.all)
  }

  @Test("a load that nothing happens to passes and tells its figures")
  func undisturbed() async throws {
    let (error, notes) = try await outcome { _ in try await Task.sleep(for: .milliseconds(50)) }
    #expect(error == nil)
    #expect(notes.contains { $0.contains("writes acknowledged") && $0.contains(" 0 failed") })
    #expect(notes.contains { $0.hasPrefix("longest hold 0 ms: 0 held") })
    #expect(notes.contains { $0.hasSuffix("places read back over another connection") && !$0.hasPrefix("0 ") })
    #expect(notes.contains("0 acknowledged writes corrupted or lost"))
  }

  @Test("a target that loses what it has acknowledged fails the case")
  func corrupted() async throws {
    let (error, _) = try await outcome { load in
      // Past all protocol, as a write would that is executed too late.
      try await load.control.fill(namespace: 1, offset: 0, count: 8 << 20, with: 0xA5)
      try await Task.sleep(for: .milliseconds(50))
    }
    #expect(error?.contains("acknowledged writes are corrupted or lost: blocks from") == true, "\(error ?? "nil")")
  }

  @Test("a request that fails, or does not although it must, fails the case")
  func failures() async throws {
    let failed = try await outcome { load in
      try await load.during({ try await load.control.setNamespace(1, isEnabled: !$0) }) {
        try await Task.sleep(for: .milliseconds(100))
      }
      try await load.session.waitForAllPaths()
    }
    #expect(failed.error != nil)
    let passed = try await outcome(failures: .expected) { _ in try await Task.sleep(for: .milliseconds(20)) }
    #expect(passed.error == "no request has failed")
  }
}
