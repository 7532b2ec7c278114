import Glibc
import JSON

/// Standard output and standard error, written at once and whole.
enum Console {
  /// Prints lines to standard output.
  ///
  /// Ends the process when nobody can read them any more.
  static func print(_ text: String) { write(text + "\n", to: STDOUT_FILENO) }

  /// Prints a JSON document.
  static func print(_ document: JSONValue, style: JSONWriter.Style = .indented) {
    print(JSONWriter.text(of: document, style: style))
  }

  /// Prints lines to standard error.
  static func note(_ text: String) { write(text + "\n", to: STDERR_FILENO) }

  /// Writes bytes to standard output as they are.
  static func write(_ bytes: some Sequence<UInt8>) { write(Array(bytes), to: STDOUT_FILENO) }

  static func write(_ text: String, to descriptor: Int32) { write(Array(text.utf8), to: descriptor) }

  private static func write(_ bytes: [UInt8], to descriptor: Int32) {
    var done = 0
    while done < bytes.count {
      let count = bytes.withUnsafeBytes { Glibc.write(descriptor, $0.baseAddress! + done, $0.count - done) }
      if count >= 0 {
        done += count
      } else if errno == EAGAIN {
        var waiting = pollfd(fd: descriptor, events: Int16(POLLOUT), revents: 0)
        poll(&waiting, 1, -1)
      } else if errno != EINTR {
        if descriptor == STDOUT_FILENO { exit(ExitStatus.localError.rawValue) }
        return
      }
    }
  }

  static var isErrorTerminal: Bool { isatty(STDERR_FILENO) == 1 }
  static var isOutputTerminal: Bool { isatty(STDOUT_FILENO) == 1 }
}
