internal import Glibc

/// Signals as events: a handler leaves each in a pipe, and a thread takes them out.
///
/// Not by blocking them: threads of the system's libraries have masks of their own.
public enum SignalPipe {
  private static nonisolated(unsafe) var writeDescriptor: Int32 = -1

  /// Calls `body` on a thread of its own with the number of each of `signals` that comes, one after the other. Once a
  /// process.
  ///
  /// - Returns: false when there is no pipe or no thread; signals then do what they always do.
  public static func observe(_ signals: [Int32], _ body: @escaping @Sendable (Int32) -> Void) -> Bool {
    var descriptors: [Int32] = [-1, -1]
    guard pipe(&descriptors) == 0 else { return false }
    for descriptor in descriptors { _ = fcntl(descriptor, F_SETFD, FD_CLOEXEC) }
    writeDescriptor = descriptors[1]
    let context = Unmanaged.passRetained(Context(readDescriptor: descriptors[0], body: body))
    var thread = pthread_t()
    let code = pthread_create(
      &thread, nil,
      { argument in
        Unmanaged<Context>.fromOpaque(argument!).takeRetainedValue().forward()
        return nil
      }, context.toOpaque())
    guard code == 0 else {
      context.release()
      return false
    }
    pthread_detach(thread)
    var action = sigaction()
    action.__sigaction_handler.sa_handler = { number in
      // Async-signal-safe: one write, errno kept.
      let code = errno
      var byte = UInt8(truncatingIfNeeded: number)
      _ = write(SignalPipe.writeDescriptor, &byte, 1)
      errno = code
    }
    action.sa_flags = SA_RESTART
    for number in signals { sigaction(number, &action, nil) }
    return true
  }

  private final class Context: Sendable {
    let readDescriptor: Int32
    let body: @Sendable (Int32) -> Void
    init(readDescriptor: Int32, body: @escaping @Sendable (Int32) -> Void) {
      self.readDescriptor = readDescriptor
      self.body = body
    }

    func forward() {
      var byte: UInt8 = 0
      while true {
        let count = read(readDescriptor, &byte, 1)
        if count == 1 { body(Int32(byte)) } else if count == 0 || errno != EINTR { return }
      }
    }
  }
}
