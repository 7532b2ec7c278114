import Glibc

/// Signals as events: they are blocked in every thread, and one thread waits for them.
enum Signals {
  private static let all = [SIGINT, SIGTERM, SIGHUP, SIGUSR1]

  private static var set: sigset_t {
    var set = sigset_t()
    sigemptyset(&set)
    for number in all { sigaddset(&set, number) }
    return set
  }

  /// To be called first of all, so that every thread inherits it.
  static func block() {
    var set = set
    pthread_sigmask(SIG_BLOCK, &set, nil)
    // A reader of our output that goes away shows as an error of the write.
    signal(SIGPIPE, SIG_IGN)
  }

  /// The signals from now on, each with its number. Once a process.
  static func events() -> AsyncStream<Int32> {
    let (stream, continuation) = AsyncStream<Int32>.makeStream()
    let context = Unmanaged.passRetained(Context(continuation))
    var thread = pthread_t()
    let code = pthread_create(
      &thread, nil,
      { argument in
        let context = Unmanaged<Context>.fromOpaque(argument!).takeRetainedValue()
        var set = Signals.set
        var terminationCount = 0
        while true {
          var number: Int32 = 0
          guard sigwait(&set, &number) == 0 else { continue }
          if number == SIGINT || number == SIGTERM {
            terminationCount += 1
            // Whoever says it twice does not want to wait.
            if terminationCount > 1 { _exit(128 + number) }
          }
          context.continuation.yield(number)
        }
      }, context.toOpaque())
    precondition(code == 0, "no thread for signals")
    pthread_detach(thread)
    return stream
  }

  private final class Context: Sendable {
    let continuation: AsyncStream<Int32>.Continuation
    init(_ continuation: AsyncStream<Int32>.Continuation) { self.continuation = continuation }
  }
}
