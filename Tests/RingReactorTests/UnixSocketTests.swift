import Glibc
import RingReactor
import Testing

/// Unix-domain sockets: addresses, and the files that listening sockets leave.
@Suite struct UnixSocketTests {
  private let path = "/tmp/swift-nvmeof-test-\(getpid())-\(UInt32.random(in: 0...UInt32.max))"

  private func address() throws -> SocketAddress { try #require(SocketAddress(unixPath: path)) }

  @Test func addresses() throws {
    let address = try address()
    #expect(address.unixPath == path)
    #expect(address.host == path)
    #expect(address.port == 0)
    #expect("\(address)" == "unix:\(path)")
    #expect(SocketAddress(unixPath: "") == nil)
    #expect(SocketAddress(unixPath: "a\0b") == nil)
    #expect(SocketAddress(unixPath: String(repeating: "x", count: 107))?.host.utf8.count == 107)
    #expect(SocketAddress(unixPath: String(repeating: "x", count: 108)) == nil)
    #expect(SocketAddress(numericHost: "127.0.0.1", port: 1)?.unixPath == nil)
  }

  @Test func modeAndRemoval() throws {
    let address = try address()
    do {
      let socket = try ListeningSocket(address: address)
      var status = stat()
      #expect(lstat(path, &status) == 0)
      #expect(status.st_mode & 0o777 == 0o600)
      #expect(socket.address.unixPath == path)
    }
    #expect(access(path, F_OK) != 0)
  }

  @Test func leftoverIsReplaced() throws {
    let address = try address()
    defer { unlink(path) }
    let descriptor = socket(AF_UNIX, Int32(SOCK_STREAM.rawValue), 0)
    #expect(address.withSocketAddress { bind(descriptor, $0, $1) } == 0)
    close(descriptor)
    #expect(access(path, F_OK) == 0)
    _ = try ListeningSocket(address: address)
  }

  /// TCP's user timeout, which a Unix-domain socket does not have; hints that it does not take are let go.
  @Test func whatIsAskedForAndCannotBeIsTold() throws {
    let address = try address()
    let reactor = try Reactor()
    let source = SocketSource(reactor: reactor)
    try source.socket.open(for: address, source: source)
    let error = #expect(throws: RingError.self) { try source.socket.setUserTimeout(milliseconds: 5) }
    #expect(error.map { "\($0)" }?.contains("a user timeout of 5 ms (TCP_USER_TIMEOUT) failed") == true)
    try source.socket.setPriority(1)
    source.socket.setKeepAlive()
    source.close()
    #expect(reactor.sourceCount == 0)
  }

  @Test func whoListensStays() throws {
    let address = try address()
    let first = try ListeningSocket(address: address)
    #expect(throws: RingError.self) { _ = try ListeningSocket(address: address) }
    #expect(access(path, F_OK) == 0)
    _ = first.address
  }

  @Test func fileOfAnotherKindStays() throws {
    let address = try address()
    let descriptor = open(path, O_CREAT | O_WRONLY, 0o600)
    close(descriptor)
    defer { unlink(path) }
    #expect(throws: RingError.self) { _ = try ListeningSocket(address: address) }
    #expect(access(path, F_OK) == 0)
  }

  @Test func successorsFileStays() throws {
    let address = try address()
    defer { unlink(path) }
    do {
      let first = try ListeningSocket(address: address)
      // Somebody takes the place by force.
      unlink(path)
      let descriptor = open(path, O_CREAT | O_WRONLY, 0o600)
      close(descriptor)
      _ = first.address
    }
    #expect(access(path, F_OK) == 0)
  }
}
