public import ArgumentParser
internal import Glibc
internal import ToolOutput

extension ParsableCommand {
  /// Ends the process as `exit(withError:)` does, but where standard output takes none of the help or the version that
  /// was asked for, not with success.
  ///
  /// - Parameters:
  ///   - usage: the status for a wrong command line.
  ///   - unwritable: the status for help that could not be shown.
  public static func end(with error: any Error, usage: Int32, unwritable: Int32) -> Never {
    let message = fullMessage(for: error)
    let text = message.isEmpty ? "" : message + "\n"
    let code = exitCode(for: error)
    guard code.isSuccess else {
      try? OutputFile.standardError.write(text)
      Glibc.exit(code == .validationFailure ? usage : code.rawValue)
    }
    do throws(OutputError) { try OutputFile.standardOutput.write(text) } catch {
      if !error.hasReaderGone { try? OutputFile.standardError.write("\(_commandName): \(error)\n") }
      Glibc.exit(unwritable)
    }
    Glibc.exit(0)
  }
}
