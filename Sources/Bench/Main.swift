internal import BenchmarkCore
internal import Glibc
internal import ToolOutput

/// Set by the signal handler, which can reach globals only.
private let interruption = StopSignal()

@main struct Main {
  static func main() {
    // The first ^C ends the jobs in good order and reports; the second is the system's.
    for number in [SIGINT, SIGTERM] {
      signal(number) { number in
        interruption.stop()
        signal(number, SIG_DFL)
      }
    }
    signal(SIGPIPE, SIG_IGN)
    StandardDescriptors.occupy()
    let code = BenchmarkCommand.run(
      Array(CommandLine.arguments.dropFirst()), stop: interruption, open: TargetOpener.open)
    exit(code.rawValue)
  }
}
