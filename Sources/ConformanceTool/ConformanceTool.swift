import ArgumentParser
import BlockDevice
import Conformance
import Glibc
import NVMeHost
import ToolOutput
import ToolSupport

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
        130, 143  SIGINT or SIGTERM came: the case at hand was ended, the
           others count as skipped, and all reports are written (a second
           signal ends it at once)
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
    // A reader of our output that goes away shows as an error of the write, not as death.
    signal(SIGPIPE, SIG_IGN)
    StandardDescriptors.occupy()
    do {
      let command = try parse()
      try await command.run()
    } catch {
      end(with: error, usage: 2, unwritable: 2)
    }
  }

  func run() async throws {
    let cases = try chosenCases()
    if list {
      for conformanceCase in cases { try print(Self.line(conformanceCase)) }
      return
    }
    // 0 is no namespace, FFFFFFFFh all of them (NVMe Base 2.1, section 3.2.1.2).
    if let wrong = nsid.first(where: { !(1...0xFFFF_FFFE).contains($0) }) {
      throw problem("--nsid is 1 to 4294967294, not \(wrong)")
    }
    guard let target else { throw problem("--target is missing (try --help)") }
    let parsed: ConformanceTarget
    do {
      let identifier = try TargetIdentifier(parsing: target)
      // Without an NQN it is the discovery service, which is none of an NVM subsystem's that cases are about.
      if identifier.isDiscovery { throw problem("--target \(target): the subsystem's NQN is missing") }
      var given = ConformanceTarget(identifier)
      given.namespaceIdentifiers += nsid.filter { !given.namespaceIdentifiers.contains($0) }
      given.secondPort = secondPort
      parsed = given
    } catch let error as TargetIdentifierError {
      throw problem("\(error)")
    }
    if let reason = await ConformanceTargetProbe.reasonUntestable(parsed) {
      throw problem("\(parsed) cannot be tested: \(reason)")
    }

    var runner = ConformanceRunner(cases: cases, target: parsed, allowsDestructive: destructive, isStrict: strict)
    let isQuiet = tap == "-" || junit == "-"
    // Opened before the cases run, which may take long: a name that cannot be written is known at once.
    let tapFile = try tap.map(open)
    let junitFile = try junit.map(open)
    var unwritable: OutputError?
    let interruption = Self.interruption()
    runner.isInterrupted = { interruption.number != 0 }
    let results = await runner.run(didEnd: { result in
      guard !isQuiet, unwritable == nil else { return }
      if interruption.number != 0, case .skipped = result.outcome { return }
      do throws(OutputError) {
        try OutputFile.standardOutput.write(SummaryReport.line(result) + "\n")
      } catch { unwritable = error }
    })
    // Whatever can be written is.
    for (text, file) in [
      (TAPReport.text(results, target: "\(parsed)"), tapFile),
      (JUnitReport.text(results, target: "\(parsed)"), junitFile),
      (SummaryReport.summary(results) + "\n", isQuiet ? nil : OutputFile.standardOutput),
    ] {
      do throws(OutputError) { try file?.write(text) } catch { unwritable = unwritable ?? error }
    }
    if let unwritable { throw problem(unwritable) }
    let number = interruption.number
    if number != 0 { throw ExitCode(128 + number) }
    if results.contains(where: \.isFailure) { throw ExitCode(1) }
  }

  /// The number of the signal that wants an end; 0 until it comes. A second one ends the process.
  private static func interruption() -> Interruption {
    let interruption = Interruption()
    _ = SignalPipe.observe([SIGINT, SIGTERM]) { number in
      if interruption.exchange(number) != 0 { _exit(128 + number) }
    }
    return interruption
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
    let padding = String(repeating: " ", count: max(0, 38 - conformanceCase.identifier.count))
    return "\(marks) \(conformanceCase.identifier)\(padding) \(conformanceCase.title)"
  }

  private func print(_ line: String) throws(ExitCode) {
    do throws(OutputError) { try OutputFile.standardOutput.write(line + "\n") } catch { throw problem(error) }
  }

  /// The file of a report, opened in place: it may be a pipe, a link or a device.
  private func open(_ path: String) throws(ExitCode) -> OutputFile {
    if path == "-" { return .standardOutput }
    do throws(OutputError) { return try OutputFile(path: path) } catch { throw problem(error) }
  }

  /// As the other, but quiet about a reader that has gone.
  private func problem(_ error: OutputError) -> ExitCode { error.hasReaderGone ? ExitCode(2) : problem("\(error)") }

  /// Says what is wrong and ends with status 2.
  private func problem(_ message: String) -> ExitCode {
    try? OutputFile.standardError.write("nvmeof-conformance: \(message)\n")
    return ExitCode(2)
  }
}
