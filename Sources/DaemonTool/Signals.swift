import Glibc
import Synchronization
import ToolSupport

/// The daemon's signals as events.
enum Signals {
  /// The signals from now on, each with its number. Once a process.
  ///
  /// SIGINT or SIGTERM for the second time ends the process: whoever says it twice does not want to wait.
  static func events() -> AsyncStream<Int32> {
    let (stream, continuation) = AsyncStream<Int32>.makeStream()
    let isTerminating = Mutex(false)
    let isObserved = SignalPipe.observe([SIGINT, SIGTERM, SIGHUP, SIGUSR1]) { number in
      if number == SIGINT || number == SIGTERM {
        isTerminating.withLock { isTerminating in
          if isTerminating { _exit(128 + number) }
          isTerminating = true
        }
      }
      continuation.yield(number)
    }
    precondition(isObserved, "no pipe or no thread for signals")
    // A reader of our output that goes away shows as an error of the write.
    signal(SIGPIPE, SIG_IGN)
    return stream
  }
}
