internal import CLiburing
import Glibc

/// Waits for one direction of a socket by the ring, through an epoll descriptor.
///
/// io_uring polls for a send that finds no room, and for a receive that finds nothing, but such a poll ends whenever the peer
/// has ended its own side (POLLRDHUP, which no poll of io_uring's can leave out), or urgent data are there. After 128 tries in
/// vain the operation ends with EAGAIN, and the next one would do the same. epoll tells what it was asked for and nothing else.
struct SocketGate: ~Copyable {
  private let events: UInt32
  /// Negative while the gate has not been needed: few sockets ever need one.
  private(set) var fileDescriptor: Int32 = -1
  private(set) var isWaiting = false

  static var readable: SocketGate { SocketGate(events: nvmeof_epoll_readable) }
  static var writable: SocketGate { SocketGate(events: nvmeof_epoll_writable) }

  private init(events: UInt32) { self.events = events }

  deinit { if fileDescriptor >= 0 { close(fileDescriptor) } }

  /// From the first time on the socket's operations in this direction wait here before they are tried.
  var isInUse: Bool { fileDescriptor >= 0 }

  /// Has the ring complete `operation` when the socket is ready. Returns 0, or `errno` where the system gives no descriptor.
  @inline(never) mutating func wait(for socket: Int32, operation: UInt8, source: ReactorSource) -> Int32 {
    if fileDescriptor < 0 { fileDescriptor = nvmeof_epoll_on(socket, events) }
    guard fileDescriptor >= 0 else { return errno }
    io_uring_prep_poll_add(source.ringEntry(operation: operation), fileDescriptor, UInt32(POLLIN))
    isWaiting = true
    return 0
  }

  /// The operation has completed. Returns whether it was the gate's own.
  mutating func waitEnded() -> Bool {
    defer { isWaiting = false }
    return isWaiting
  }
}
