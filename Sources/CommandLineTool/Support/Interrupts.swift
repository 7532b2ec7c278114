import Glibc
import ToolSupport

/// SIGINT and SIGTERM as events.
enum Interrupts {
  /// Calls `body` on a thread of its own with the number of the signal, each time one comes. Once a process.
  static func observe(_ body: @escaping @Sendable (Int32) -> Void) {
    // Without it, the first signal ends the process, as it does with most tools.
    _ = SignalPipe.observe([SIGINT, SIGTERM], body)
  }

  /// The first of the two signals from this call on, then the end. Once a process.
  ///
  /// A second signal ends the process: whoever sends it does not want to wait.
  static func first() -> AsyncStream<Int32> {
    let (stream, continuation) = AsyncStream<Int32>.makeStream()
    observe { number in
      if case .terminated = continuation.yield(number) { _exit(128 + number) }
      continuation.finish()
    }
    return stream
  }
}
