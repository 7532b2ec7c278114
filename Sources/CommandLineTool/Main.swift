import ArgumentParser
import Glibc
import ToolOutput
import ToolSupport

/// The entry point: like ArgumentParser's own, with this tool's exit statuses.
@main
enum Main {
  static func main() async {
    // A reader of our output that goes away shows as an error of the write, not as death.
    signal(SIGPIPE, SIG_IGN)
    StandardDescriptors.occupy()
    DescriptorLimit.raise()
    exit(await run(Array(CommandLine.arguments.dropFirst())).rawValue)
  }

  /// Runs a command line.
  static func run(_ arguments: [String]) async -> ExitStatus {
    let arguments = CommandName.translated(arguments)
    if let problem = CommandName.problem(arguments) {
      Console.note("nvmeof: \(problem)")
      return .usage
    }
    do {
      var command = try RootCommand.parseAsRoot(arguments)
      if var command = command as? any AsyncParsableCommand {
        try await command.run()
      } else {
        try command.run()
      }
      return .success
    } catch let error as ToolError {
      if !error.description.isEmpty { Console.note("nvmeof: \(error)") }
      return error.status
    } catch {
      return report(error)
    }
  }

  /// What ArgumentParser throws: help that was asked for, or a command line that is wrong.
  private static func report(_ error: any Error) -> ExitStatus {
    let message = RootCommand.fullMessage(for: error)
    switch RootCommand.exitCode(for: error) {
    case .success:
      Console.print(message)
      return .success
    case .validationFailure:
      Console.note(message)
      return .usage
    default:
      Console.note(message)
      return .localError
    }
  }
}
