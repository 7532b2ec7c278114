public import BlockDevice
internal import BlockExport
internal import Glibc
internal import NBDProtocol
internal import NBDServer
public import TLS

/// An ``NBDServer`` and its client, joined by a Unix-domain socket, both on the calling thread: for gates, which count what a
/// thread does.
public final class NBDLoopback {
  /// Requests outstanding at once, all sent at once and answered before the next ones.
  public static let depth = 32
  public static let requestByteCount = 4096
  private static let requestHeaderByteCount = 28
  private static let replyHeaderByteCount = 16
  private static let fill: UInt8 = 0x5A

  private let server: NBDServer
  private let reactor: Reactor
  private let client: NBDLoopbackClient
  private let placeCount: UInt64
  private let reads: UnsafeMutableRawBufferPointer
  /// Each with its data, which stays as it is.
  private let writes: UnsafeMutableRawBufferPointer
  private let input: UnsafeMutableRawBufferPointer
  private var requestCount: UInt64 = 0

  /// - Parameters:
  ///   - isFragmented: requests come in pieces of an odd size, so that their headers are torn now and then.
  ///   - security: nil is in the clear.
  public init(
    device: any BlockDevice, reactor: Reactor, isFragmented: Bool, security: (server: TLSContext, client: TLSContext)?
  ) throws {
    self.reactor = reactor
    placeCount = device.geometry.byteCount / UInt64(Self.requestByteCount)
    let exports = ExportTable()
    try exports.add(Export(device: device, configuration: ExportConfiguration(name: "disk")))
    server = NBDServer(
      exports: exports, reactors: [reactor.handle], security: security.map { .required($0.server) } ?? .none)
    client = try NBDLoopbackClient(reactor: reactor, pieceByteCount: isFragmented ? 10_007 : .max)
    reads = .allocate(byteCount: Self.requestHeaderByteCount * Self.depth, alignment: 4096)
    reads.initializeMemory(as: UInt8.self, repeating: 0)
    writes = .allocate(
      byteCount: (Self.requestHeaderByteCount + Self.requestByteCount) * Self.depth, alignment: 4096)
    writes.initializeMemory(as: UInt8.self, repeating: Self.fill)
    input = .allocate(byteCount: (Self.replyHeaderByteCount + Self.requestByteCount) * Self.depth, alignment: 4096)
    input.initializeMemory(as: UInt8.self, repeating: 0)
    server.accepted(client.serverDescriptor)
    try negotiate(security?.client)
  }

  deinit {
    reads.deallocate()
    writes.deallocate()
    input.deallocate()
  }

  private func negotiate(_ context: TLSContext?) throws {
    _ = try client.exchange([], answerByteCount: 18)
    // Fixed newstyle, no zeroes behind the answer.
    var bytes = Self.bytes(3 as UInt32)
    if let context {
      bytes += Self.bytes(NBDMagic.option) + Self.bytes(5 as UInt32) + Self.bytes(0 as UInt32)
      let answer = try client.exchange(bytes, answerByteCount: 20)
      guard answer[12..<16] == [0, 0, 0, 1] else { throw NBDLoopbackError("TLS is refused: \(answer)") }
      try client.beginTLS(context)
      bytes = []
    }
    // EXPORT_NAME, the shortest way.
    bytes += Self.bytes(NBDMagic.option) + Self.bytes(1 as UInt32) + Self.bytes(4 as UInt32) + Array("disk".utf8)
    let answer = try client.exchange(bytes, answerByteCount: 10)
    guard answer.prefix(8) == Self.bytes(placeCount * UInt64(Self.requestByteCount))[...] else {
      throw NBDLoopbackError("the export has an odd size: \(answer)")
    }
  }

  private static func bytes<Value: FixedWidthInteger>(_ value: Value) -> [UInt8] {
    withUnsafeBytes(of: value.bigEndian) { Array($0) }
  }

  /// Does ``depth`` requests at places that follow one another. What is read has been written before.
  public func doRound(isWrite: Bool) throws {
    let output = isWrite ? writes : reads
    let requestStride = output.count / Self.depth
    let replyStride = Self.replyHeaderByteCount + (isWrite ? 0 : Self.requestByteCount)
    for index in 0..<Self.depth {
      let request = output.baseAddress! + index * requestStride
      let place = requestCount % placeCount
      Self.store(NBDMagic.request, to: request)
      Self.store(isWrite ? 1 : 0 as UInt32, to: request + 4)
      Self.store(requestCount, to: request + 8)
      Self.store(place * UInt64(Self.requestByteCount), to: request + 16)
      Self.store(UInt32(Self.requestByteCount), to: request + 24)
      requestCount += 1
    }
    try client.exchange(
      UnsafeRawBufferPointer(output),
      UnsafeMutableRawBufferPointer(start: input.baseAddress, count: replyStride * Self.depth))
    // A device in memory answers in order.
    for index in 0..<Self.depth {
      let reply = input.baseAddress! + index * replyStride
      let cookie = requestCount - UInt64(Self.depth) + UInt64(index)
      guard Self.load(UInt32.self, from: reply) == NBDMagic.simpleReply, Self.load(UInt32.self, from: reply + 4) == 0,
        Self.load(UInt64.self, from: reply + 8) == cookie
      else { throw NBDLoopbackError("request \(cookie) has no good answer") }
    }
  }

  /// Whether the latest reads have brought what was written: a path that moves nothing would be a cheap one.
  public func verify() throws {
    let stride = Self.replyHeaderByteCount + Self.requestByteCount
    for index in 0..<Self.depth {
      let data = input[index * stride + Self.replyHeaderByteCount..<(index + 1) * stride]
      guard data.allSatisfy({ $0 == Self.fill }) else { throw NBDLoopbackError("a read has not brought its data") }
    }
  }

  /// Hangs up, and waits for the server to notice.
  public func close() throws {
    client.close()
    let limit = MonotonicClock.nanoseconds() + 30_000_000_000
    guard reactor.turn(untilNanoseconds: limit, while: { server.connectionCount > 0 }) else {
      throw NBDLoopbackError("the server has kept the connection")
    }
  }

  private static func store<Value: FixedWidthInteger>(_ value: Value, to pointer: UnsafeMutableRawPointer) {
    pointer.storeBytes(of: value.bigEndian, as: Value.self)
  }
  private static func load<Value: FixedWidthInteger>(_: Value.Type, from pointer: UnsafeMutableRawPointer) -> Value {
    Value(bigEndian: pointer.loadUnaligned(as: Value.self))
  }
}
