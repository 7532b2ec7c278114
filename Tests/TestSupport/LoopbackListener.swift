internal import Glibc

/// A listening TCP socket on a port of 127.0.0.1 that the kernel has chosen. Whoever made it closes it.
public struct LoopbackListener: Sendable {
  public let descriptor: Int32
  public let port: UInt16

  public struct Failure: Error, CustomStringConvertible {
    public let description: String
  }

  /// - Throws: ``Failure`` with errno.
  public init(backlog: Int32) throws(Failure) {
    let descriptor = socket(AF_INET, Int32(SOCK_STREAM.rawValue) | Int32(SOCK_CLOEXEC.rawValue), 0)
    var name = sockaddr_in()
    name.sin_family = sa_family_t(AF_INET)
    name.sin_addr.s_addr = UInt32(0x7F00_0001).bigEndian
    var length = socklen_t(MemoryLayout<sockaddr_in>.size)
    let isListening = withUnsafeMutablePointer(to: &name) { name in
      name.withMemoryRebound(to: sockaddr.self, capacity: 1) {
        bind(descriptor, $0, length) == 0 && listen(descriptor, backlog) == 0
          && getsockname(descriptor, $0, &length) == 0
      }
    }
    guard isListening else {
      defer { close(descriptor) }
      throw Failure(description: "no socket listens on 127.0.0.1: errno \(errno)")
    }
    self.descriptor = descriptor
    port = UInt16(bigEndian: name.sin_port)
  }
}
