import Glibc

/// SIGINT and SIGTERM as events: the handler leaves a byte in a pipe, a thread takes it out.
enum Interrupts {
  private static nonisolated(unsafe) var writeDescriptor: Int32 = -1

  /// Calls `body` on a thread of its own with the number of the signal, each time one comes. Once a process.
  static func observe(_ body: @escaping @Sendable (Int32) -> Void) {
    var descriptors: [Int32] = [-1, -1]
    guard pipe(&descriptors) == 0 else { return }
    for descriptor in descriptors { _ = fcntl(descriptor, F_SETFD, FD_CLOEXEC) }
    let readDescriptor = descriptors[0]
    writeDescriptor = descriptors[1]
    var action = sigaction()
    action.__sigaction_handler.sa_handler = { number in
      // Async-signal-safe: one write, errno kept.
      let code = errno
      var byte = UInt8(truncatingIfNeeded: number)
      _ = write(Interrupts.writeDescriptor, &byte, 1)
      errno = code
    }
    action.sa_flags = SA_RESTART
    sigaction(SIGINT, &action, nil)
    sigaction(SIGTERM, &action, nil)
    let context = Unmanaged.passRetained(Context(readDescriptor: readDescriptor, body: body))
    var thread = pthread_t()
    let code = pthread_create(
      &thread, nil,
      { argument in
        let context = Unmanaged<Context>.fromOpaque(argument!).takeRetainedValue()
        var byte: UInt8 = 0
        while true {
          let count = read(context.readDescriptor, &byte, 1)
          if count == 1 { context.body(Int32(byte)) } else if errno != EINTR { return nil }
        }
      }, context.toOpaque())
    if code != 0 { context.release() } else { pthread_detach(thread) }
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

  private final class Context: Sendable {
    let readDescriptor: Int32
    let body: @Sendable (Int32) -> Void
    init(readDescriptor: Int32, body: @escaping @Sendable (Int32) -> Void) {
      self.readDescriptor = readDescriptor
      self.body = body
    }
  }
}
