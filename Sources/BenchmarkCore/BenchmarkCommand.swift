internal import Glibc
internal import ToolOutput

/// The program: arguments in, exit code out.
public enum BenchmarkCommand {
  /// 0: all well. 1: options or set-up. 2: I/O or verification failed, or results cannot be written. 128: interrupted.
  @frozen public enum ExitCode: Int32, Sendable {
    case success = 0
    case usage = 1
    case failure = 2
    case interrupted = 128
  }

  public static func run(
    _ arguments: [String], stop: StopSignal, open: BenchmarkRun.Opener
  ) -> ExitCode {
    do {
      let invocation = try CommandLineReader.read(arguments)
      switch invocation.help {
      case .usage:
        try show(HelpText.usage)
        return .success
      case .version:
        try show("nvmeof-bench-\(RunReport.version)\n")
        return .success
      case .command(let name):
        guard let text = HelpText.command(name) else {
          throw OptionError(
            .unknownOption(name: name, suggestion: OptionCatalogue.suggestion(for: name)), at: .commandLine)
        }
        try show(text)
        return .success
      case nil:
        break
      }
      let reader = JobFileReader(load: FileText.load) { name in getenv(name).map { String(cString: $0) } }
      let plan = try JobPlanner.plan(invocation, reader: reader)
      if invocation.showCommand { try show(HelpText.commandLine(plan)) }
      if invocation.parseOnly || invocation.showCommand { return .success }
      let output = try ReportOutput(invocation)
      let run = BenchmarkRun(plan: plan, invocation: invocation, stop: stop, output: output)
      let report = try run.run(open: open)
      do {
        // Behind the report, but also without it.
        defer {
          for failed in report.failures { complain("\(failed.jobName): \(failed.failure.message)") }
        }
        try output.report(report)
      }
      for remark in try run.writeLogs() { complain(remark) }
      if !report.failures.isEmpty { return .failure }
      if stop.isStopped {
        complain("terminated early by a signal")
        return .interrupted
      }
      return .success
    } catch let error as OutputError {
      if !error.hasReaderGone { complain("\(error)") }
      return .failure
    } catch {
      complain("\(error)")
      return .usage
    }
  }

  private static func show(_ text: String) throws(OutputError) { try OutputFile.standardOutput.write(text) }

  private static func complain(_ text: String) {
    ReportOutput.complain("nvmeof-bench: \(text)\n")
  }
}
