import BlockExport
import Glibc
import Logging
import NBDProtocol
import NBDServer
import RingReactor
import Synchronization
import TLS
import TestCertificates
import TestSupport
import Testing

/// The server under TLS.
@Suite(.serialized) struct TLSServerTests {
  static let certificates = TestCertificates()

  static func context(_ name: String = "server", authority: String? = nil) throws -> TLSContext {
    try TLSContext(
      TLSConfiguration(
        role: .server, certificateFile: certificates.certificate(name), keyFile: certificates.key(name),
        authorityFile: authority.map(certificates.certificate)))
  }

  static func clientContext(_ name: String? = nil) throws -> TLSContext {
    try TLSContext(
      TLSConfiguration(
        role: .client, certificateFile: name.map(certificates.certificate), keyFile: name.map(certificates.key),
        authorityFile: certificates.certificate("authority")))
  }

  /// Why clients' TLS came to nothing, as the log tells.
  private static func failures(_ lines: LogRecorder) -> [String] {
    lines.lines.compactMap { line in
      let reason = line.split(separator: " reason=TLS: ", maxSplits: 1)
      guard reason.count == 2 else { return nil }
      return reason[1].firstRange(of: " received_bytes=").map { String(reason[1][..<$0.lowerBound]) }
    }
  }

  private func scene(
    _ security: NBDServerSecurity, log: LogRecorder = LogRecorder(), reactorCount: Int = 1,
    policy: WaitPolicy = .adaptive,
    tcp: Bool = false, configure: (inout NBDServerConfiguration) -> Void = { _ in }
  ) async throws -> ServerTests.Scene {
    let scene = try await ServerTests.Scene(
      reactorCount: reactorCount, policy: policy, tcp: tcp, security: security,
      logger: log.logger(.debug), configure: configure)
    try scene.add(scene.memory())
    return scene
  }

  @Test(arguments: [WaitPolicy.adaptive, .eventDriven, .busyPolling], [false, true])
  func readsAndWrites(_ policy: WaitPolicy, _ tcp: Bool) async throws {
    let scene = try await scene(.required(Self.context()), policy: policy, tcp: tcp)
    for structured in [false, true] {
      let client = try TestClient(scene.address)
      try client.startTLS(Self.clientContext())
      try client.go("disk", structured: structured)
      #expect(client.size == 1 << 24)
      // Around records, and around the sizes from which payload is received in place.
      try client.writeAndRead([512, 4096, 16_384, 65_536, 1 << 18, 512, 1 << 20, 1 << 18, 4096])
      try client.request(.disconnect)
      // Said goodbye to, as it should be.
      #expect(try client.reply() == nil)
      #expect(client.tlsState == .ended)
    }
    #expect(try await scene.end() == 0)
  }

  /// Far more than all buffers between the two hold, and nobody reads meanwhile.
  @Test func backPressure() async throws {
    let scene = try await scene(.required(Self.context())) { $0.transmission.requestLimit = 8 }
    let client = try TestClient(scene.address)
    try client.startTLS(Self.clientContext())
    try client.go()
    let data = pattern(1 << 20, seed: 3)
    for index in 0..<4 { try client.write(at: UInt64(index) << 20, data) }
    for index in 0..<32 { try client.request(.read, offset: UInt64(index % 4) << 20, length: 1 << 20) }
    for _ in 0..<32 { #expect(try client.reply()?.data == data) }
    let small = pattern(4096, seed: 4)
    for index in 0..<64 { try client.request(.write, offset: UInt64(index) * 4096, length: 4096, payload: small) }
    for _ in 0..<64 { #expect(try client.reply()?.error == 0) }
    client.hangUp()
    #expect(try await scene.end() == 0)
  }

  @Test func policies() async throws {
    let required = try await scene(.required(Self.context()))
    let plain = try TestClient(required.address)
    try plain.greet()
    for option in [3, 6, 7, 8, 9, 10, 11, 99] as [UInt32] {
      try plain.option(option)
      #expect(try plain.optionReply().type == NBDOptionReply.errorTLSRequired.rawValue)
    }
    // It may still begin it, and all that it had asked for in the clear counts for nothing.
    try plain.startTLS(Self.clientContext(), isGreeted: true)
    try plain.option(5)
    #expect(try plain.optionReply().type == NBDOptionReply.errorInvalid.rawValue)
    try plain.option(3)
    #expect(try plain.optionReply().type == NBDOptionReply.server.rawValue)
    plain.hangUp()
    #expect(try await required.end() == 0)

    let offered = try await scene(.offered(Self.context()))
    let one = try TestClient(offered.address)
    try one.go()
    let other = try TestClient(offered.address)
    try other.startTLS(Self.clientContext())
    try other.go()
    try one.write(at: 0, pattern(512, seed: 1))
    #expect(try other.read(at: 0, 512) == pattern(512, seed: 1))
    one.hangUp()
    other.hangUp()
    #expect(try await offered.end() == 0)
  }

  /// Options in the clear behind the request for TLS: never answered, neither before the handshake nor in it. However the
  /// bytes are cut into segments.
  @Test func nothingCanBeSlippedIn() async throws {
    let log = LogRecorder()
    let scene = try await scene(.offered(Self.context()), log: log, tcp: true)
    let slipped = bytes(NBDMagic.option) + bytes(3 as UInt32) + bytes(0 as UInt32)
    let request = bytes(NBDMagic.option) + bytes(5 as UInt32) + bytes(0 as UInt32)
    for cut in [0, request.count - 1, request.count, request.count + 1, request.count + slipped.count] {
      let client = try TestClient(scene.address)
      try client.greet()
      let all = request + slipped
      if cut > 0 { try client.send(Array(all[..<cut])) }
      if cut >= request.count { #expect(try client.optionReply().type == 1) }
      try? client.send(Array(all[cut...]))
      if cut < request.count { #expect(try client.optionReply().type == 1) }
      // The handshake fails; at most an alert comes, which is not as long as an answer.
      #expect(try client.receive(20) == nil)
      client.hangUp()
    }
    try await eventually { Self.failures(log).count == 5 }
    #expect(Set(Self.failures(log)) == ["TLS handshake: wrong version number"])
    #expect(try await scene.end() == 0)
  }

  @Test func clientsThatAreRefused() async throws {
    let log = LogRecorder()
    let scene = try await scene(.required(Self.context(authority: "authority")), log: log)
    for name in [nil, "stranger"] {
      let client = try TestClient(scene.address)
      // With TLS 1.3 a client learns of it when it reads.
      #expect(throws: TestClient.Failure.self) {
        try client.startTLS(Self.clientContext(name))
        try client.option(3)
        _ = try client.optionReply()
      }
      client.hangUp()
    }
    try await eventually { Self.failures(log).count == 2 }
    #expect(
      Self.failures(log) == [
        "TLS handshake: peer did not return a certificate",
        "TLS handshake: certificate verify failed: unable to get local issuer certificate",
      ])
    let client = try TestClient(scene.address)
    try client.startTLS(Self.clientContext("client"))
    try client.go()
    #expect(try client.read(at: 0, 512).count == 512)
    client.hangUp()
    #expect(try await scene.end() == 0)
  }

  /// One that goes without close_notify is as usual as one that closes its socket.
  @Test func clientsWithoutCloseNotify() async throws {
    let log = LogRecorder()
    let scene = try await scene(.required(Self.context()), log: log)
    let client = try TestClient(scene.address)
    try client.startTLS(Self.clientContext())
    try client.go()
    client.hangUp()
    try await eventually { log.count("info a client has gone") == 1 }
    let line = log.lines.first { $0.hasPrefix("info a client has gone") }
    #expect(line?.contains("reason=the client has closed the connection") == true, "\(line ?? "")")
    #expect(try await scene.end() == 0)
  }

  /// A certificate that is replaced counts for those who come from then on.
  @Test func anotherCertificate() async throws {
    let scene = try await scene(.required(Self.context("expired")))
    let early = try TestClient(scene.address)
    #expect(throws: TestClient.Failure.self) { try early.startTLS(Self.clientContext()) }
    scene.server.security = .required(try Self.context())
    let late = try TestClient(scene.address)
    try late.startTLS(Self.clientContext())
    try late.go()
    early.hangUp()
    late.hangUp()
    #expect(try await scene.end() == 0)
  }

  /// Clients that go, or stop, at any point of the handshake, of negotiation, of a request.
  @Test func clientsThatVanish() async throws {
    let scene = try await scene(.required(Self.context()), tcp: true)
    for count in stride(from: 1, to: 900, by: 97) {
      let client = try TestClient(scene.address)
      try client.startTLS(Self.clientContext(), byteLimit: count)
      client.hangUp()
    }
    for length in [0, 100, 20_000] {
      let client = try TestClient(scene.address)
      try client.startTLS(Self.clientContext())
      try client.go()
      try client.request(.write, length: 65_536, payload: pattern(length, seed: 1))
      client.hangUp()
    }
    try await eventually { scene.server.connectionCount == 0 }
    // A request whose end has not come has written nothing.
    let witness = try TestClient(scene.address)
    try witness.startTLS(Self.clientContext())
    try witness.go()
    #expect(try witness.read(at: 0, 65_536) == [UInt8](repeating: 0, count: 65_536))
    witness.hangUp()
    #expect(try await scene.end() == 0)
  }

  @Test func slowClients() async throws {
    let log = LogRecorder()
    let scene = try await scene(.required(Self.context()), log: log) { configuration in
      configuration.negotiationTimeoutMilliseconds = 2000
      configuration.drainTimeoutMilliseconds = 50
    }
    // One that says nothing after the answer, one that stops amid the handshake.
    let silent = try TestClient(scene.address)
    try silent.greet()
    try silent.option(5)
    #expect(try silent.optionReply().type == 1)
    #expect(try silent.receive(1) == nil)
    let half = try TestClient(scene.address)
    try half.startTLS(Self.clientContext(), byteLimit: 100)
    #expect(try half.receive(1) == nil)
    silent.hangUp()
    half.hangUp()
    #expect(try await scene.end() == 0)
  }

  @Test func stopSaysGoodbye() async throws {
    let scene = try await scene(.required(Self.context()))
    let client = try TestClient(scene.address)
    try client.startTLS(Self.clientContext())
    try client.go()
    #expect(try client.read(at: 0, 512).count == 512)
    async let left = scene.end()
    #expect(try client.reply() == nil)
    #expect(client.tlsState == .ended)
    #expect(try await left == 0)
  }

  /// A client that says goodbye in one piece with its last option gets that one's answer first, and is gone at once.
  @Test(arguments: [false, true]) func goodbyeBehindAnOption(_ isSecure: Bool) async throws {
    let scene = try await scene(.offered(Self.context())) { $0.drainTimeoutMilliseconds = 120_000 }
    let client = try TestClient(scene.address)
    if isSecure { try client.startTLS(Self.clientContext()) } else { try client.greet() }
    let exportName = bytes(NBDMagic.option) + bytes(1 as UInt32) + bytes(4 as UInt32) + Array("disk".utf8)
    let disconnect =
      bytes(NBDMagic.request) + [0, 0, 0, 2] + bytes(1 as UInt64) + bytes(0 as UInt64) + bytes(0 as UInt32)
    try client.send(exportName + disconnect)
    #expect(try client.receive(10)?.prefix(8) == bytes(1 << 24 as UInt64)[...])
    #expect(try client.receive(1) == nil)
    if isSecure { #expect(client.tlsState == .ended) }
    try await eventually { scene.server.connectionCount == 0 }
    #expect(try await scene.end() == 0)
  }

  /// One that does not fetch its answers does not hold the end up.
  @Test func deafClients() async throws {
    let scene = try await scene(.required(Self.context())) { $0.drainTimeoutMilliseconds = 50 }
    let client = try TestClient(scene.address)
    try client.startTLS(Self.clientContext())
    try client.go()
    for _ in 0..<16 { try client.request(.read, length: 1 << 20) }
    #expect(try await scene.end() == 0)
    client.hangUp()
  }

  @Test func hostileBytes() async throws {
    let scene = try await scene(.required(Self.context()))
    let witness = try TestClient(scene.address)
    try witness.startTLS(Self.clientContext())
    try witness.go()
    var random = SystemRandomNumberGenerator()
    for round in 0..<40 {
      let client = try TestClient(scene.address)
      let noise = (0..<Int.random(in: 1...5000, using: &random)).map { _ in UInt8.random(in: 0...255, using: &random) }
      if round % 2 == 0 {
        try client.greet()
        try client.option(5)
        _ = try client.optionReply()
        try? client.send(noise)
      } else {
        // Noise that is encrypted well, and noise where ciphertext belongs.
        try client.startTLS(Self.clientContext())
        if round % 4 == 1 { try client.go() }
        try? client.send(noise)
        try? client.sendRaw(noise)
      }
      client.hangUp()
    }
    #expect(try witness.read(at: 0, 512).count == 512)
    witness.hangUp()
    #expect(try await scene.end() == 0)
  }

  @Test func whatOptionsGoTogether() {
    for (options, problem) in [
      (NBDServerSecurity.Options(), nil),
      (NBDServerSecurity.Options(policy: NBDTLSPolicy.none), nil),
      (NBDServerSecurity.Options(certificateFile: "a"), "--tls-certificate needs --tls-key"),
      (NBDServerSecurity.Options(keyFile: "a"), "--tls-key needs --tls-certificate"),
      (NBDServerSecurity.Options(clientAuthorityFile: "a"), "--tls-client-ca needs --tls-certificate"),
      (
        NBDServerSecurity.Options(policy: NBDTLSPolicy.none, sharedKeyFile: "a"),
        "--tls off leaves no use for files of TLS"
      ),
      (
        NBDServerSecurity.Options(policy: .offered),
        "--tls allow needs --tls-certificate and --tls-key, or --tls-psk-file"
      ),
      (NBDServerSecurity.Options(policy: .required, sharedKeyFile: "a"), nil),
      (
        NBDServerSecurity.Options(certificateFile: "a", keyFile: "b", sharedKeyFile: "c"),
        "--tls-psk-file is instead of --tls-certificate: give one of them"
      ),
    ] as [(NBDServerSecurity.Options, String?)] {
      #expect(options.problem == problem)
    }
  }
}
