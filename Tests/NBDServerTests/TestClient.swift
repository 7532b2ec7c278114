import Glibc
import NBDProtocol
import RingReactor
import TLS
import TestSupport
import Testing

/// A client on a blocking socket; every answer that does not come within twenty seconds is a failure.
final class TestClient {
  struct Failure: Error { var description: String }

  let descriptor: Int32
  private(set) var size: UInt64 = 0
  private var style = NBDReplyStyle.simple
  private var cookie: UInt64 = 0

  init(_ address: SocketAddress) throws {
    descriptor = socket(address.family, Int32(SOCK_STREAM.rawValue), 0)
    var limit = timeval(tv_sec: 20, tv_usec: 0)
    setsockopt(descriptor, SOL_SOCKET, SO_RCVTIMEO, &limit, socklen_t(MemoryLayout<timeval>.size))
    setsockopt(descriptor, SOL_SOCKET, SO_SNDTIMEO, &limit, socklen_t(MemoryLayout<timeval>.size))
    guard address.withSocketAddress({ connect(descriptor, $0, $1) }) == 0 else {
      throw Failure(description: "connect: \(errno)")
    }
  }

  deinit { hangUp() }

  private var isOpen = true
  func hangUp() {
    if isOpen { close(descriptor) }
    isOpen = false
  }

  // MARK: TLS

  /// Moves bytes between a session and the socket. (A class, because a noncopyable value in a class is awkward to nil.)
  private final class Secure {
    var session: TLSSession
    var received: [UInt8] = []
    init(_ context: TLSContext) { session = TLSSession(context, serverName: "server.test") }
  }

  private var secure: Secure?
  var tlsState: TLSState? { secure?.session.state }

  /// Asks for TLS, and goes through the handshake; or through so many bytes of what a client has to say, and no more.
  func startTLS(_ context: TLSContext, isGreeted: Bool = false, byteLimit: Int = .max) throws {
    if !isGreeted { try greet() }
    try option(5)
    guard try optionReply().type == 1 else { throw Failure(description: "no TLS") }
    isGreetedAlready = true
    let secure = Secure(context)
    if byteLimit < .max {
      return try sendRaw(Array(secure.session.output.prefix(byteLimit)))
    }
    self.secure = secure
    while secure.session.state == .handshaking {
      try sendOutput(secure)
      if secure.session.state != .handshaking { break }
      guard try receiveMore(secure) else { throw Failure(description: "the server has ended the handshake") }
    }
    try sendOutput(secure)
    guard secure.session.state == .open else { throw Failure(description: "handshake: \(secure.session.state)") }
  }

  /// The greeting comes once a connection.
  private var isGreetedAlready = false

  private func sendOutput(_ secure: Secure) throws {
    let bytes = Array(secure.session.output)
    secure.session.didSend(byteCount: bytes.count)
    if !bytes.isEmpty { try sendRaw(bytes) }
  }

  /// False at the end of the stream.
  private func receiveMore(_ secure: Secure) throws -> Bool {
    var buffer = [UInt8](repeating: 0, count: 65_536)
    let count = buffer.withUnsafeMutableBytes { recv(descriptor, $0.baseAddress, $0.count, 0) }
    // A ring that ends interrupts every thread that ever used it, and with a time-out that ends the call.
    if count < 0 && errno == EINTR { return true }
    guard count > 0 else {
      if count < 0 && errno != ECONNRESET { throw Failure(description: "receive: \(errno)") }
      secure.session.endOfStream()
      return false
    }
    var plaintext = [UInt8](repeating: 0, count: 65_536)
    var rest = buffer[..<count]
    while true {
      let (taken, produced) = rest.withUnsafeBytes { rest in
        plaintext.withUnsafeMutableBytes { secure.session.receive(rest, into: $0) }
      }
      rest = rest.dropFirst(taken)
      secure.received += plaintext[..<produced]
      if taken == 0 && produced == 0 { break }
    }
    return true
  }

  func send(_ bytes: [UInt8]) throws {
    guard let secure else { return try sendRaw(bytes) }
    var rest = bytes[...]
    while !rest.isEmpty {
      let taken = rest.withUnsafeBytes { secure.session.write($0) }
      guard taken > 0 else { throw Failure(description: "TLS: \(secure.session.state)") }
      rest = rest.dropFirst(taken)
      secure.session.flush()
      try sendOutput(secure)
    }
  }

  /// Sends what there is to say and close_notify in one piece.
  func sendLast(_ bytes: [UInt8]) throws {
    guard let secure else { throw Failure(description: "no TLS") }
    guard bytes.withUnsafeBytes({ secure.session.write($0) }) == bytes.count else {
      throw Failure(description: "TLS: \(secure.session.state)")
    }
    secure.session.endSending()
    try sendOutput(secure)
  }

  func sendRaw(_ bytes: [UInt8]) throws {
    var position = 0
    while position < bytes.count {
      let count = bytes[position...].withUnsafeBytes {
        Glibc.send(descriptor, $0.baseAddress, $0.count, Int32(MSG_NOSIGNAL))
      }
      if count < 0 && errno == EINTR { continue }
      guard count > 0 else { throw Failure(description: "send: \(errno)") }
      position += count
    }
  }

  /// Whether there is something to be received, or the end of the stream, within so many milliseconds.
  func hasInput(within milliseconds: Int32) -> Bool {
    var state = pollfd(fd: descriptor, events: Int16(POLLIN), revents: 0)
    return poll(&state, 1, milliseconds) > 0
  }

  /// Nil at the end of the stream.
  func receive(_ count: Int) throws -> [UInt8]? {
    if let secure {
      while secure.received.count < count {
        guard secure.session.state == .open, try receiveMore(secure) else { return nil }
      }
      defer { secure.received.removeFirst(count) }
      return Array(secure.received.prefix(count))
    }
    var bytes = [UInt8](repeating: 0, count: count)
    var position = 0
    while position < count {
      let got = bytes.withUnsafeMutableBytes { recv(descriptor, $0.baseAddress! + position, count - position, 0) }
      if got < 0 && errno == EINTR { continue }
      if got < 0 && errno == ECONNRESET { return nil }
      guard got >= 0 else { throw Failure(description: "receive: \(errno)") }
      if got == 0 { return nil }
      position += got
    }
    return bytes
  }

  private func need(_ count: Int) throws -> [UInt8] {
    guard let bytes = try receive(count) else { throw Failure(description: "the server has closed the connection") }
    return bytes
  }

  func option(_ number: UInt32, _ data: [UInt8] = []) throws {
    try send(bytes(NBDMagic.option) + bytes(number) + bytes(UInt32(data.count)) + data)
  }

  func optionReply() throws -> (type: UInt32, data: [UInt8]) {
    let header = try need(20)
    return (number(header[12..<16]), try need(Int(number(header[16..<20]) as UInt32)))
  }

  /// Takes the greeting, and answers it.
  func greet() throws {
    guard try need(18).prefix(8) == bytes(NBDMagic.initial)[...] else { throw Failure(description: "greeting") }
    try send(bytes(3 as UInt32))
  }

  /// Negotiates, and goes into transmission.
  func go(_ name: String = "", structured: Bool = true) throws {
    if !isGreetedAlready { try greet() }
    if structured {
      style = .structured
      try option(8)
      guard try optionReply().type == 1 else { throw Failure(description: "structured replies") }
    }
    try option(7, bytes(UInt32(name.utf8.count)) + Array(name.utf8) + bytes(0 as UInt16))
    while true {
      let reply = try optionReply()
      if reply.type == 3, reply.data.prefix(2) == [0, 0] { size = number(reply.data[2..<10]) }
      if reply.type == 1 { return }
      if reply.type & 0x8000_0000 != 0 { throw Failure(description: String(decoding: reply.data, as: UTF8.self)) }
    }
  }

  /// Sends a request. Returns its cookie.
  @discardableResult
  func request(
    _ command: NBDCommand, offset: UInt64 = 0, length: Int = 0, payload: [UInt8] = [], flags: NBDCommandFlags = []
  ) throws -> UInt64 {
    cookie += 1
    try send(Self.header(command, flags, cookie, offset, length) + payload)
    return cookie
  }

  static func header(
    _ command: NBDCommand, _ flags: NBDCommandFlags = [], _ cookie: UInt64 = 0, _ offset: UInt64 = 0, _ length: Int = 0
  ) -> [UInt8] {
    bytes(NBDMagic.request) + bytes(flags.rawValue) + bytes(command.rawValue) + bytes(cookie) + bytes(offset)
      + bytes(UInt32(length))
  }

  /// The next reply; nil at the end of the stream.
  func reply(readLength: Int = 0) throws -> (cookie: UInt64, error: UInt32, data: [UInt8])? {
    guard let magic = try receive(4) else { return nil }
    if number(magic[...]) == NBDMagic.simpleReply {
      let rest = try need(12)
      let error: UInt32 = number(rest[0..<4])
      return (number(rest[4..<12]), error, style == .simple && error == 0 ? try need(readLength) : [])
    }
    let rest = try need(16)
    let type: UInt16 = number(rest[2..<4])
    let payload = try need(Int(number(rest[12..<16]) as UInt32))
    let cookie: UInt64 = number(rest[4..<12])
    if type == NBDReplyType.offsetData.rawValue { return (cookie, 0, Array(payload.dropFirst(8))) }
    return (cookie, type & 0x8000 != 0 ? number(payload[0..<4]) : 0, [])
  }

  func read(at offset: UInt64, _ length: Int) throws -> [UInt8] {
    try request(.read, offset: offset, length: length)
    guard let reply = try reply(readLength: length), reply.error == 0 else { throw Failure(description: "read") }
    return reply.data
  }

  func write(at offset: UInt64, _ data: [UInt8], flags: NBDCommandFlags = []) throws {
    try request(.write, offset: offset, length: data.count, payload: data, flags: flags)
    guard let reply = try reply(), reply.error == 0 else { throw Failure(description: "write") }
  }

  /// Writes so many bytes a MiB apart, every other time with FUA, and reads them back, whole and in part.
  func writeAndRead(_ sizes: [Int]) throws {
    for (index, size) in sizes.enumerated() {
      let (offset, data) = (UInt64(index) << 20, pattern(size, seed: UInt64(index)))
      try write(at: offset, data, flags: index % 2 == 0 ? .forceUnitAccess : [])
      #expect(try read(at: offset, size) == data)
      #expect(try read(at: offset + 5, 100) == Array(data[5..<105]))
    }
  }
}

func bytes<Value: FixedWidthInteger>(_ value: Value) -> [UInt8] { withUnsafeBytes(of: value.bigEndian) { Array($0) } }
func number<Value: FixedWidthInteger>(_ bytes: ArraySlice<UInt8>) -> Value { bytes.reduce(0) { $0 << 8 | Value($1) } }
