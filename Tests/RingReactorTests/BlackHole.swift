import Glibc
import RingReactor
import TestSupport

/// An address on loopback that lets nobody in: a listening socket whose queue is full, so that the kernel drops every
/// further request for a connection.
final class BlackHole {
  let address: SocketAddress
  private var descriptors: [Int32] = []

  struct Failure: Error {}

  init() throws {
    let listener = try LoopbackListener(backlog: 0)
    descriptors.append(listener.descriptor)
    guard let address = SocketAddress(numericHost: "127.0.0.1", port: listener.port) else { throw Failure() }
    self.address = address
    for _ in 0..<64 {
      let client = socket(AF_INET, Int32(SOCK_STREAM.rawValue | SOCK_NONBLOCK.rawValue), 0)
      descriptors.append(client)
      _ = address.withSocketAddress { connect(client, $0, $1) }
      var entry = pollfd(fd: client, events: Int16(POLLOUT), revents: 0)
      // Established at once as long as there is room; 200 ms without an answer means that there is none.
      if poll(&entry, 1, 200) == 0 { return }
    }
    throw Failure()
  }

  deinit { for descriptor in descriptors { close(descriptor) } }
}
