import BlockDevice
import BlockExport
import CFuzzRandom
import Glibc
import NBDProtocol
import NBDServer
import RingReactor
import TLS

/// A whole server of NBD on a simulated kernel, with one client, who decides what happens; and what holds whatever he does.
final class ServerWorld {
  /// A connection's buffers and its TLS session are 0.4 MiB, its requests may have 128 KiB.
  private static let memoryLimitByteCount = 1 << 20
  /// Far more than any input needs: something goes round and round.
  private static let turnLimit = 1_000_000

  /// Read once, from a file that is gone by then.
  private static let context: TLSContext = {
    let path = "/tmp/swift-nvmeof-fuzz-\(getpid()).psk"
    let file = fopen(path, "w")!
    fputs("\(HonestClient.identity):\(String(repeating: "5a", count: HonestClient.key.count))\n", file)
    fclose(file)
    defer { unlink(path) }
    do { return try TLSContext(TLSConfiguration(role: .server, sharedKeyFile: path)) } catch { fatalError("\(error)") }
  }()

  static var configuration: NBDServerConfiguration {
    var configuration = NBDServerConfiguration()
    configuration.transmission.requestLimit = 4
    configuration.transmission.memoryLimitByteCount = 128 << 10
    return configuration
  }

  let socket: ClientSocket
  private let log = FailureLog()
  private let reactor: Reactor
  private let server: NBDServer
  private var watch = WireWatch()
  private var ciphertext: [UInt8] = []
  /// What the server has allocated and not freed, on the client's account.
  private var allocatedByteCount = 0

  init(policy: NBDTLSPolicy, socket: ClientSocket) {
    let context = Self.context
    self.socket = socket
    do {
      reactor = try Reactor(kernel: socket)
      let exports = ExportTable()
      let device = try MemoryBlockDevice(
        blockByteCount: Reference.blockByteCount, blockCount: Reference.blockCount, reactor: reactor.handle)
      try exports.add(Export(device: device, configuration: ExportConfiguration(name: "d")))
      server = NBDServer(
        exports: exports, reactors: [reactor.handle], configuration: Self.configuration,
        security: policy == .required ? .required(context) : .offered(context), logger: log.logger)
    } catch { fatalError("\(error)") }
    server.accepted(socket.serverDescriptor)
    settle()
  }

  /// TLS has been accepted.
  var isSecure: Bool { watch.isSecure }
  var isClosed: Bool { server.connectionCount == 0 }
  /// TLS has come to an end that is against the rules, and somebody has been told.
  var hasTLSFailed: Bool { log.hasTLSFailed }

  /// Without what is on the wire, which is nobody's.
  private var allocatedNow: Int { Int(nvmeof_fuzz_allocated_bytes()) - socket.wireCapacity }

  /// Lets everything happen that does so without the client.
  func settle() {
    var count = 0
    while true {
      let before = allocatedNow
      let handled = reactor.turn(.none)
      // With the kernel's part: it frees what it was given with an operation.
      let isAdvancing = socket.advance()
      allocatedByteCount += allocatedNow - before
      check(allocatedByteCount < Self.memoryLimitByteCount, "\(allocatedByteCount) bytes for one client")
      if !isAdvancing && handled == 0 { break }
      count += 1
      check(count < Self.turnLimit, "the server does not come to rest")
    }
    ciphertext += watch.take(socket.takeOutput())
    check(!hasTLSFailed || isClosed, "TLS has failed, and the connection is still there")
    check(!isClosed || socket.isClosedByServer, "the connection is gone, its socket is not")
  }

  func takeCiphertext() -> [UInt8] {
    defer { ciphertext = [] }
    return ciphertext
  }

  func pass(seconds: Int) {
    socket.nowNanoseconds += UInt64(seconds) * 1_000_000_000
    settle()
  }

  /// The client goes: nothing of him is left.
  func end() {
    socket.isDeaf = false
    socket.isEnded = true
    settle()
    check(isClosed, "the client has gone, its connection has not")
    check(reactor.sourceCount == 0, "\(reactor.sourceCount) sources are left")
  }
}
