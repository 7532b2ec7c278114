internal import BlockDevice
internal import Glibc
internal import TLS

/// The client's end of a socket, in the clear or under TLS. It turns the server's reactor while it waits, and allocates
/// nothing while it exchanges.
final class NBDLoopbackClient {
  private static let ciphertextByteCount = 64 << 10
  private static let sendFlags = Int32(MSG_NOSIGNAL) | Int32(MSG_DONTWAIT)
  private static let receiveFlags = Int32(MSG_DONTWAIT)

  /// To be given to the server, which closes it.
  let serverDescriptor: Int32
  private let descriptor: Int32
  private let reactor: Reactor
  /// At most so much is sent before the reactor is turned.
  private let pieceByteCount: Int
  /// Nil in the clear.
  private var session: UnsafeMutablePointer<TLSSession>?
  private let ciphertext: UnsafeMutableRawBufferPointer
  /// Of it, what the session has not taken yet.
  private var ciphertextRange = 0..<0

  init(reactor: Reactor, pieceByteCount: Int) throws {
    var descriptors: (Int32, Int32) = (-1, -1)
    let code = withUnsafeMutableBytes(of: &descriptors) {
      socketpair(
        AF_UNIX, Int32(SOCK_STREAM.rawValue), 0, $0.baseAddress!.assumingMemoryBound(to: Int32.self))
    }
    guard code == 0 else { throw NBDLoopbackError("socketpair: \(errno)") }
    (descriptor, serverDescriptor) = descriptors
    self.reactor = reactor
    self.pieceByteCount = pieceByteCount
    ciphertext = .allocate(byteCount: Self.ciphertextByteCount, alignment: 4096)
  }

  deinit {
    ciphertext.deallocate()
    guard let session else { return }
    session.deinitialize(count: 1)
    session.deallocate()
  }

  func close() { _ = Glibc.close(descriptor) }

  /// Everything from here on goes through TLS.
  func beginTLS(_ context: TLSContext) throws {
    let session = UnsafeMutablePointer<TLSSession>.allocate(capacity: 1)
    session.initialize(to: TLSSession(context, serverName: "server.test"))
    self.session = session
    try wait(while: { session.pointee.state == .handshaking }) {
      try sendOutput(session)
      _ = try receive(UnsafeMutableRawBufferPointer(start: nil, count: 0))
    }
    guard session.pointee.state == .open else { throw NBDLoopbackError("TLS: \(session.pointee.state)") }
  }

  /// Sends, and receives an answer of so many bytes.
  func exchange(_ bytes: [UInt8], answerByteCount: Int) throws -> [UInt8] {
    var answer = [UInt8](repeating: 0, count: answerByteCount)
    try bytes.withUnsafeBytes { bytes in try answer.withUnsafeMutableBytes { try exchange(bytes, $0) } }
    return answer
  }

  /// Sends all of `output` while it receives all of `input`.
  func exchange(_ output: UnsafeRawBufferPointer, _ input: UnsafeMutableRawBufferPointer) throws {
    var sent = 0
    var received = 0
    try wait(while: { sent < output.count || received < input.count }) {
      let piece = min(pieceByteCount, output.count - sent)
      if piece > 0 { sent += try send(UnsafeRawBufferPointer(rebasing: output[sent..<sent + piece])) }
      // What was written before may have found no room for its ciphertext.
      if let session { try sendOutput(session) }
      reactor.turn(.none)
      if received < input.count { received += try receive(UnsafeMutableRawBufferPointer(rebasing: input[received...])) }
    }
  }

  private func wait(while condition: () -> Bool, _ step: () throws -> Void) throws {
    let limit = MonotonicClock.nanoseconds() + 60_000_000_000
    while condition() {
      try step()
      reactor.turn(.none)
      guard MonotonicClock.nanoseconds() < limit else { throw NBDLoopbackError("the server says nothing any more") }
    }
  }

  private func send(_ bytes: UnsafeRawBufferPointer) throws -> Int {
    guard let session else { return try sendRaw(bytes) }
    let taken = session.pointee.write(bytes)
    session.pointee.flush()
    return taken
  }

  private func sendOutput(_ session: UnsafeMutablePointer<TLSSession>) throws {
    let output = session.pointee.output
    if !output.isEmpty { session.pointee.didSend(byteCount: try sendRaw(output)) }
  }

  private func sendRaw(_ bytes: UnsafeRawBufferPointer) throws -> Int {
    let count = Glibc.send(descriptor, bytes.baseAddress, bytes.count, Self.sendFlags)
    if count < 0 && errno != EAGAIN && errno != EINTR { throw NBDLoopbackError("send: \(errno)") }
    return max(0, count)
  }

  private func receive(_ bytes: UnsafeMutableRawBufferPointer) throws -> Int {
    guard let session else { return try receiveRaw(bytes) }
    if ciphertextRange.isEmpty { ciphertextRange = 0..<(try receiveRaw(ciphertext)) }
    let (taken, produced) = session.pointee.receive(
      UnsafeRawBufferPointer(rebasing: ciphertext[ciphertextRange]), into: bytes)
    ciphertextRange = ciphertextRange.lowerBound + taken..<ciphertextRange.upperBound
    return produced
  }

  private func receiveRaw(_ bytes: UnsafeMutableRawBufferPointer) throws -> Int {
    let count = recv(descriptor, bytes.baseAddress, bytes.count, Self.receiveFlags)
    if count == 0 { throw NBDLoopbackError("the server has hung up") }
    if count < 0 && errno != EAGAIN && errno != EINTR { throw NBDLoopbackError("receive: \(errno)") }
    return max(0, count)
  }
}
