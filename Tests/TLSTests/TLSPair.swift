import TLS
import TestCertificates

/// A server's and a client's session, and the bytes between them.
struct TLSPair: ~Copyable {
  static let certificates = TestCertificates()

  var server: TLSSession
  var client: TLSSession
  /// What the peers have got.
  private(set) var atServer: [UInt8] = []
  private(set) var atClient: [UInt8] = []
  /// All ciphertext so far.
  private(set) var toServer: [UInt8] = []
  private(set) var toClient: [UInt8] = []

  static func server(_ name: String = "server", authority: String? = nil) throws -> TLSContext {
    try TLSContext(
      TLSConfiguration(
        role: .server, certificateFile: certificates.certificate(name), keyFile: certificates.key(name),
        authorityFile: authority.map(certificates.certificate)))
  }

  static func client(
    _ name: String? = nil, authority: String = "authority", isLimited: Bool = false
  ) throws -> TLSContext {
    var configuration = TLSConfiguration(
      role: .client, certificateFile: name.map(certificates.certificate), keyFile: name.map(certificates.key),
      authorityFile: certificates.certificate(authority))
    configuration.isLimitedToVersion12 = isLimited
    return try TLSContext(configuration)
  }

  init(server: TLSContext, client: TLSContext, serverName: String? = "server.test") {
    self.server = TLSSession(server)
    self.client = TLSSession(client, serverName: serverName)
  }

  init() throws {
    let (server, client) = (try Self.server(), try Self.client())
    self.init(server: server, client: client)
  }

  /// Carries ciphertext both ways, in pieces of so many bytes to buffers of so many, until there is none left.
  mutating func carry(piece: Int = .max, room: Int = 2048) {
    while true {
      let first = Self.carry(from: &client, to: &server, &atServer, &toServer, piece, room)
      let second = Self.carry(from: &server, to: &client, &atClient, &toClient, piece, room)
      if !first && !second { return }
    }
  }

  private static func carry(
    from: inout TLSSession, to: inout TLSSession, _ plaintext: inout [UInt8], _ all: inout [UInt8], _ piece: Int,
    _ room: Int
  ) -> Bool {
    let bytes = Array(from.output.prefix(piece))
    from.didSend(byteCount: bytes.count)
    all += bytes
    feed(bytes, to: &to, &plaintext, room)
    return !bytes.isEmpty
  }

  static func feed(_ bytes: [UInt8], to session: inout TLSSession, _ plaintext: inout [UInt8], _ room: Int = 2048) {
    var buffer = [UInt8](repeating: 0, count: room)
    var rest = bytes[...]
    while true {
      let (taken, produced) = rest.withUnsafeBytes { bytes in
        buffer.withUnsafeMutableBytes { session.receive(bytes, into: $0) }
      }
      rest = rest.dropFirst(taken)
      plaintext += buffer.prefix(produced)
      if taken == 0 && produced == 0 { return }
    }
  }

  /// Sends all of it, however little room there is at a time.
  mutating func send(_ bytes: [UInt8], byServer: Bool, write: Int = .max, piece: Int = .max, room: Int = 2048) {
    var rest = bytes[...]
    while !rest.isEmpty {
      let next = Array(rest.prefix(write))
      let taken = next.withUnsafeBytes { byServer ? server.write($0) : client.write($0) }
      rest = rest.dropFirst(taken)
      if taken < next.count { carry(piece: piece, room: room) }
      if (byServer ? server.state : client.state) != .open { break }
    }
    if byServer { server.flush() } else { client.flush() }
    carry(piece: piece, room: room)
  }
}
