import Conformance
import EmbeddedTarget
import Foundation
import Testing

/// The whole conformance suite against the project's own target, which has the commands that Linux lacks.
@Suite("Conformance of the embedded target", .serialized)
struct EmbeddedConformanceTests {
  private static let chosenCases = ConformanceSuite.cases(
    matching: ProcessInfo.processInfo.environment["CONFORMANCE_ONLY"] ?? "*")

  @Test("case", arguments: chosenCases)
  func conforms(_ conformanceCase: ConformanceCase) async throws {
    let embedded = try await EmbeddedTarget.start(seed: 1)
    var subsystem = SubsystemConfiguration(nqn: EmbeddedControl.open)
    subsystem.namespaces = [
      1: .memory(byteCount: 16 << 20), 2: .memory(byteCount: 16 << 20, blockByteCount: 4096),
    ]
    try await embedded.addSubsystem(subsystem)
    var closed = SubsystemConfiguration(nqn: EmbeddedControl.closed)
    closed.allowedHosts = []
    try await embedded.addSubsystem(closed)
    let port = try await embedded.addPort()
    let second = try await embedded.addPort()
    var target = ConformanceTarget(host: port.host, port: port.port, subsystemNQN: EmbeddedControl.open)
    target.secondPort = second.port
    target.namespaceIdentifiers = [1, 2]
    let runner = ConformanceRunner(
      cases: [conformanceCase], target: target, control: EmbeddedControl(target: embedded, ports: [port, second]),
      allowsDestructive: true,
      isStrict: true)
    let result = await runner.run(conformanceCase)
    await embedded.stop()
    let notes = result.notes.joined(separator: "\n")
    switch result.outcome {
    case .passed: break
    case .failed(let message): Issue.record("\(message)\n\(notes)")
    case .skipped(let reason): Issue.record("skipped: \(reason)")
    }
  }
}
