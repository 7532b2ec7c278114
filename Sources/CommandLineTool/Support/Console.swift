import Glibc
import JSON
import ToolOutput

/// Standard output and standard error, written at once and whole.
enum Console {
  /// Prints lines to standard output.
  ///
  /// Ends the process when they cannot be written, which says why unless the reader has gone.
  static func print(_ text: String) { writeResult(Array((text + "\n").utf8)) }

  /// Prints a JSON document.
  static func print(_ document: JSONValue, style: JSONWriter.Style = .indented) {
    print(JSONWriter.text(of: document, style: style))
  }

  /// Prints lines to standard error.
  static func note(_ text: String) { show(text + "\n") }

  /// Writes to standard error as it is. There is nobody to tell when that fails.
  static func show(_ text: String) { try? OutputFile.standardError.write(text) }

  /// Writes bytes to standard output as they are.
  static func write(_ bytes: some Sequence<UInt8>) { writeResult(Array(bytes)) }

  private static func writeResult(_ bytes: [UInt8]) {
    do throws(OutputError) { try OutputFile.standardOutput.write(bytes) } catch {
      if !error.hasReaderGone { note("nvmeof: \(error)") }
      exit(ExitStatus.localError.rawValue)
    }
  }

  static var isErrorTerminal: Bool { isatty(STDERR_FILENO) == 1 }
  static var isOutputTerminal: Bool { isatty(STDOUT_FILENO) == 1 }
}
