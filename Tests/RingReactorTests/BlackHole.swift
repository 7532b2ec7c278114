import Glibc
import RingReactor

/// An address on loopback that lets nobody in: a listening socket whose queue is full, so that the kernel drops every
/// further request for a connection.
final class BlackHole {
  let address: SocketAddress
  private var descriptors: [Int32] = []

  struct Failure: Error {}

  init() throws {
    let listening = socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
    descriptors.append(listening)
    var name = sockaddr_in()
    name.sin_family = sa_family_t(AF_INET)
    name.sin_addr.s_addr = UInt32(0x7F00_0001).bigEndian
    var length = socklen_t(MemoryLayout<sockaddr_in>.size)
    let isListening = withUnsafeMutablePointer(to: &name) {
      $0.withMemoryRebound(to: sockaddr.self, capacity: 1) {
        bind(listening, $0, length) == 0 && listen(listening, 0) == 0 && getsockname(listening, $0, &length) == 0
      }
    }
    guard isListening, let address = SocketAddress(numericHost: "127.0.0.1", port: UInt16(bigEndian: name.sin_port))
    else { throw Failure() }
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
