import Conformance
import Foundation
import NvmetGuest
import Testing

/// The whole conformance suite against Linux.
@Suite("Conformance of Linux nvmet", .serialized, .enabled(if: NvmetAvailability.isRequiredOrPresent))
struct NvmetConformanceTests {
  /// CONFORMANCE_ONLY=PATTERN chooses cases, for people at work on one of them.
  private static let chosenCases = ConformanceSuite.cases(
    matching: ProcessInfo.processInfo.environment["CONFORMANCE_ONLY"] ?? "*")

  /// One guest for all cases: they put back what they change. It ends with this process.
  private static let guest = Task { try await NvmetGuest.start() }

  /// What Linux does not have; any other skip is a failure.
  private static let expectedSkips: Set<String> = ["operations.compare", "operations.verify"]

  /// Where Linux 6.12 is known to deviate; any other deviation is a failure.
  private static let expectedDeviations: Set<String> = [
    "initialize.alignment", "admin.invalid-namespace", "io.out-of-range", "io.write-out-of-range", "io.short-transfer",
    "io.largest-read",
  ]

  @Test("case", arguments: chosenCases.filter { !expectedSkips.contains($0.identifier) })
  func conforms(_ conformanceCase: ConformanceCase) async throws {
    try await Self.check(conformanceCase)
  }

  // Tests of their own: a case that is not run shows as a skipped test, which it does not among the arguments of another.

  @Test("operations.compare")
  func compare() async throws {
    for conformanceCase in Self.chosenCases where conformanceCase.identifier == "operations.compare" {
      try await Self.check(conformanceCase)
    }
  }

  @Test("operations.verify")
  func verify() async throws {
    for conformanceCase in Self.chosenCases where conformanceCase.identifier == "operations.verify" {
      try await Self.check(conformanceCase)
    }
  }

  private static func check(_ conformanceCase: ConformanceCase) async throws {
    let guest = try await Self.guest.value
    var target = ConformanceTarget(
      host: "127.0.0.1", port: guest.port(4420), subsystemNQN: NvmetGuest.openSubsystem)
    target.secondPort = guest.port(4421)
    target.namespaceIdentifiers = [1, 2, 3]
    let runner = ConformanceRunner(
      cases: [conformanceCase], target: target, control: NvmetControl(guest: guest), allowsDestructive: true)
    let result = await runner.run(conformanceCase)
    let notes = result.notes.joined(separator: "\n")
    // What a case has found out is worth reading when it has passed, too: above all, what a fault has cost.
    let lines = [SummaryReport.line(result)] + result.notes.map { "      " + $0 }
    FileHandle.standardError.write(Data(lines.map { $0 + "\n" }.joined().utf8))
    switch result.outcome {
    case .passed:
      #expect(
        result.deviations.isEmpty || Self.expectedDeviations.contains(conformanceCase.identifier),
        "\(result.deviations)")
    case .failed(let message): Issue.record("\(message)\n\(notes)\n--- guest ---\n\(guest.consoleTail)")
    case .skipped(let reason):
      guard Self.expectedSkips.contains(conformanceCase.identifier) else {
        Issue.record("skipped: \(reason)")
        return
      }
      // Neither passed nor failed: shown and counted as a test case that was not run.
      try Test.cancel("NOT RUN on this target: \(reason)")
    }
  }
}
