import Conformance
import Foundation
import Testing

/// The whole conformance suite against the project's own target, which has the commands that Linux lacks.
@Suite("Conformance of the embedded target", .serialized)
struct EmbeddedConformanceTests {
  private static let chosenCases = ConformanceSuite.cases(
    matching: ProcessInfo.processInfo.environment["CONFORMANCE_ONLY"] ?? "*")

  @Test("case", arguments: chosenCases)
  func conforms(_ conformanceCase: ConformanceCase) async throws {
    let (control, target) = try await EmbeddedControl.start()
    let runner = ConformanceRunner(
      cases: [conformanceCase], target: target, control: control, allowsDestructive: true, isStrict: true)
    let result = await runner.run(conformanceCase)
    await control.stop()
    let notes = result.notes.joined(separator: "\n")
    switch result.outcome {
    case .passed: break
    case .failed(let message): Issue.record("\(message)\n\(notes)")
    case .skipped(let reason): Issue.record("skipped: \(reason)")
    }
  }
}
