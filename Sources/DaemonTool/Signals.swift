import Glibc

/// Signals as events: a handler leaves each in a pipe, and one thread takes them out.
///
/// Not by blocking them: threads of the system's libraries have masks of their own.
enum Signals {
  private static nonisolated(unsafe) var writeDescriptor: Int32 = -1
  private static let all = [SIGINT, SIGTERM, SIGHUP, SIGUSR1]

  /// The signals from now on, each with its number. Once a process.
  ///
  /// SIGINT or SIGTERM for the second time ends the process: whoever says it twice does not want to wait.
  static func events() -> AsyncStream<Int32> {
    let (stream, continuation) = AsyncStream<Int32>.makeStream()
    var descriptors: [Int32] = [-1, -1]
    precondition(pipe(&descriptors) == 0, "no pipe for signals")
    for descriptor in descriptors { _ = fcntl(descriptor, F_SETFD, FD_CLOEXEC) }
    writeDescriptor = descriptors[1]
    let context = Unmanaged.passRetained(Context(readDescriptor: descriptors[0], continuation))
    var thread = pthread_t()
    let code = pthread_create(
      &thread, nil,
      { argument in
        Signals.forward(Unmanaged<Context>.fromOpaque(argument!).takeRetainedValue())
        return nil
      }, context.toOpaque())
    precondition(code == 0, "no thread for signals")
    pthread_detach(thread)
    var action = sigaction()
    action.__sigaction_handler.sa_handler = { number in
      // Async-signal-safe: one write, errno kept.
      let code = errno
      var byte = UInt8(truncatingIfNeeded: number)
      _ = write(Signals.writeDescriptor, &byte, 1)
      errno = code
    }
    action.sa_flags = SA_RESTART
    for number in all { sigaction(number, &action, nil) }
    // A reader of our output that goes away shows as an error of the write.
    signal(SIGPIPE, SIG_IGN)
    return stream
  }

  private static func forward(_ context: Context) {
    var byte: UInt8 = 0
    var terminationCount = 0
    while true {
      let count = read(context.readDescriptor, &byte, 1)
      guard count == 1 else {
        if count < 0 && errno == EINTR { continue }
        return
      }
      let number = Int32(byte)
      if number == SIGINT || number == SIGTERM {
        terminationCount += 1
        if terminationCount > 1 { _exit(128 + number) }
      }
      context.continuation.yield(number)
    }
  }

  private final class Context: Sendable {
    let readDescriptor: Int32
    let continuation: AsyncStream<Int32>.Continuation
    init(readDescriptor: Int32, _ continuation: AsyncStream<Int32>.Continuation) {
      self.readDescriptor = readDescriptor
      self.continuation = continuation
    }
  }
}
