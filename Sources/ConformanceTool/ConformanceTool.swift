import ArgumentParser
import BlockDevice
import Conformance
import NVMeHost
import Foundation

@main
struct ConformanceTool: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "nvmeof-conformance",
    abstract: "Tests whether an NVMe/TCP target does what the specifications ask for.",
    discussion: """
      Cases that overwrite data run only with --destructive, and only on the namespaces that the target's URI \
      and --nsid name. Everything else reads at most.

      EXAMPLES
        What there is to test:
          nvmeof-conformance --list
        Look at a target without changing anything:
          nvmeof-conformance --target nvme+tcp://192.0.2.1:4420/NQN
        Everything, where data may be lost, with reports for a build server:
          nvmeof-conformance --target 'nvme+tcp://192.0.2.1/NQN?nsid=1' \\
            --destructive --tap results.tap --junit results.xml
        Only the refusals of Connect:
          nvmeof-conformance --target URI --only 'connect.*'

      EXIT STATUS
        0  every case that ran passed
        1  a case failed
        2  the command line is wrong, the target cannot be reached, or a
           report cannot be written
      """,
    version: "nvmeof-conformance \(PackageVersion.current)")

  @Option(
    help: ArgumentHelp(
      "The subsystem to test: nvme+tcp://HOST[:PORT]/NQN[?nsid=N], or \"trtype:TCP traddr:… trsvcid:… subnqn:…\".",
      valueName: "uri"))
  var target: String?

  @Option(help: ArgumentHelp("Another namespace under test, beside the URI's. May be repeated.", valueName: "n"))
  var nsid: [UInt32] = []

  @Option(
    name: .customLong("second-port"),
    help: ArgumentHelp("Another port of the subsystem on the same host.", valueName: "port"))
  var secondPort: UInt16?

  @Flag(help: "Allow cases that overwrite the namespaces named by the URI and --nsid. Their data is lost.")
  var destructive = false

  @Flag(help: "Fail cases in which the target deviates from the specification in a way that hosts can live with.")
  var strict = false

  @Flag(help: "List the cases and end. * marks destructive ones, + those that need to control the target.")
  var list = false

  @Option(
    help: ArgumentHelp(
      "Run only cases whose identifier contains this text, or matches it where it has asterisks. May be repeated.",
      valueName: "pattern"))
  var only: [String] = []

  @Option(help: ArgumentHelp("Write the results as TAP version 14; - for standard output.", valueName: "file"))
  var tap: String?

  @Option(help: ArgumentHelp("Write the results as JUnit XML; - for standard output.", valueName: "file"))
  var junit: String?

  /// As the protocol's own, but a wrong command line ends with 2, which scripts can tell from a failed case.
  static func main() async {
    do {
      var command = try parseAsRoot()
      if var asynchronous = command as? any AsyncParsableCommand {
        try await asynchronous.run()
      } else {
        try command.run()
      }
    } catch {
      guard exitCode(for: error) == .validationFailure else { exit(withError: error) }
      FileHandle.standardError.write(Data((fullMessage(for: error) + "\n").utf8))
      Foundation.exit(2)
    }
  }

  func run() async throws {
    let cases = try chosenCases()
    if list {
      for conformanceCase in cases { print(Self.line(conformanceCase)) }
      return
    }
    guard let target else { throw problem("--target is missing (try --help)") }
    let parsed: ConformanceTarget
    do {
      var given = ConformanceTarget(try TargetIdentifier(parsing: target))
      given.namespaceIdentifiers += nsid.filter { !given.namespaceIdentifiers.contains($0) }
      given.secondPort = secondPort
      parsed = given
    } catch {
      throw problem("\(error)")
    }
    if let reason = await ConformanceTargetProbe.reasonUnreachable(parsed) {
      throw problem("\(parsed) cannot be tested: \(reason)")
    }

    let runner = ConformanceRunner(cases: cases, target: parsed, allowsDestructive: destructive, isStrict: strict)
    let isQuiet = tap == "-" || junit == "-"
    let results = await runner.run(didEnd: { result in
      if !isQuiet { print(SummaryReport.line(result)) }
    })
    try write(TAPReport.text(results, target: "\(parsed)"), to: tap)
    try write(JUnitReport.text(results, target: "\(parsed)"), to: junit)
    if !isQuiet { print(SummaryReport.summary(results)) }
    if results.contains(where: \.isFailure) { throw ExitCode(1) }
  }

  private func chosenCases() throws -> [ConformanceCase] {
    guard !only.isEmpty else { return ConformanceSuite.cases }
    for pattern in only where ConformanceSuite.cases(matching: pattern).isEmpty {
      throw problem("no case matches '\(pattern)' (try --list)")
    }
    let chosen = Set(only.flatMap { ConformanceSuite.cases(matching: $0).map(\.identifier) })
    return ConformanceSuite.cases.filter { chosen.contains($0.identifier) }
  }

  private static func line(_ conformanceCase: ConformanceCase) -> String {
    let marks =
      (conformanceCase.needs.contains(.destructive) ? "*" : " ")
      + (conformanceCase.needs.contains(.control) ? "+" : " ")
    let identifier = conformanceCase.identifier.padding(toLength: 38, withPad: " ", startingAt: 0)
    return "\(marks) \(identifier) \(conformanceCase.title)"
  }

  private func write(_ text: String, to path: String?) throws {
    guard let path else { return }
    if path == "-" {
      print(text, terminator: "")
      return
    }
    do {
      try text.write(toFile: path, atomically: true, encoding: .utf8)
    } catch {
      throw problem("\(path) cannot be written: \(error.localizedDescription)")
    }
  }

  /// Says what is wrong and ends with status 2.
  private func problem(_ message: String) -> ExitCode {
    FileHandle.standardError.write(Data("nvmeof-conformance: \(message)\n".utf8))
    return ExitCode(2)
  }
}
