import COpenSSL
import TestCertificates
import TestSupport
import Testing

@testable import TLS

/// Sessions against each other; and against what is no peer.
@Suite struct TLSSessionTests {
  private func handshakeFailure(_ state: TLSState) -> String? {
    if case .failed(let failure) = state, failure.kind == .handshake { failure.reason } else { nil }
  }

  /// What a session says of bytes that are no TLS, or end too early.
  private func failure(_ state: TLSState) -> TLSFailure? {
    if case .failed(let failure) = state { failure } else { nil }
  }

  @Test(arguments: [1, 2, 5, 7, 100, 16_384, .max], [1, 100, 65_536])
  func splitInvariance(_ piece: Int, _ room: Int) throws {
    var pair = try TLSPair()
    pair.carry(piece: piece, room: room)
    #expect(pair.server.state == .open && pair.client.state == .open)
    #expect(pair.server.version == "TLSv1.3")
    let (question, answer) = (pattern(17_000, seed: 1), pattern(20_001, seed: 2))
    pair.send(question, byServer: false, piece: piece, room: room)
    pair.send(answer, byServer: true, piece: piece, room: room)
    #expect(pair.atServer == question)
    #expect(pair.atClient == answer)
    pair.client.endSending()
    pair.carry(piece: piece, room: room)
    #expect(pair.server.state == .ended)
    // One direction has ended, the other goes on.
    pair.send([1, 2, 3], byServer: true, piece: piece, room: room)
    #expect(pair.atClient.suffix(3) == [1, 2, 3])
    pair.server.endSending()
    pair.carry(piece: piece, room: room)
    #expect(pair.client.state == .ended)
    #expect(pair.server.hasNothingToSend && pair.client.hasNothingToSend)
  }

  @Test(arguments: [("mallory", "mallory"), ("mal\tlo\u{1b}ry", "mal?lo?ry")])
  func identitiesWithoutKeys(_ identity: String, _ told: String) throws {
    let file = TLSPair.certificates.write("alice:00112233445566778899aabbccddeeff\n", to: "alice-keys")
    var server = TLSSession(try TLSContext(TLSConfiguration(role: .server, sharedKeyFile: file)))
    var plaintext: [UInt8] = []
    TLSPair.feed(TestCertificates.clientHello(identity: identity), to: &server, &plaintext)
    let reason = handshakeFailure(server.state)
    #expect(reason?.hasPrefix("there is no key for the identity \"\(told)\" (") == true, "\(reason ?? "")")
  }

  @Test func version12() throws {
    var pair = TLSPair(server: try TLSPair.server(), client: try TLSPair.client(isLimited: true))
    pair.carry()
    #expect(pair.server.version == "TLSv1.2")
    pair.send(pattern(100_000, seed: 3), byServer: true)
    pair.send(pattern(100_000, seed: 4), byServer: false)
    #expect(pair.atClient == pattern(100_000, seed: 3))
    #expect(pair.atServer == pattern(100_000, seed: 4))
  }

  /// A peer that takes no more than 512 bytes in a record, with what makes records longest: there is room for all of them
  /// where one is begun, however full the output is.
  @Test func smallFragments() throws {
    let client = try TLSPair.client(isLimited: true)
    #expect(SSL_CTX_set_tlsext_max_fragment_length(client.pointer, UInt8(TLSEXT_max_fragment_length_512)) == 1)
    #expect(
      SSL_CTX_set_cipher_list(client.pointer, "ECDHE-ECDSA-AES256-SHA384:ECDHE-RSA-AES256-SHA384") == 1)
    var pair = TLSPair(server: try TLSPair.server(), client: client)
    pair.carry()
    #expect(pair.server.state == .open)
    var sent: [UInt8] = []
    for count in stride(from: 13_000, to: 16_384, by: 32) {
      let first = pattern(count, seed: UInt64(count))
      let taken = first.withUnsafeBytes { pair.server.write($0) }
      #expect(taken == count)
      pair.server.flush()
      let rest = pattern(150_000, seed: 1)
      pair.send(rest, byServer: true)
      sent += first + rest
      #expect(pair.server.state == .open)
    }
    #expect(pair.atClient == sent)
  }

  /// Small pieces are put together into records.
  @Test(arguments: [1, 28, 4096, 16_383, 16_384, 16_385, 40_000]) func piecesBecomeRecords(_ size: Int) throws {
    var pair = try TLSPair()
    pair.carry()
    let before = pair.toClient.count
    let bytes = pattern(400_000, seed: UInt64(size))
    pair.send(bytes, byServer: true, write: size)
    #expect(pair.atClient == bytes)
    // 22 bytes more a record: nobody makes a record of a header.
    #expect(pair.toClient.count - before < 400_000 + 22 * (400_000 / 16_384 + 8) + 22 * (size > 16_384 ? 20 : 0))
  }

  /// The end of what was written goes out although nobody writes anything more.
  @Test func whatHadNoRoomFollows() throws {
    var pair = try TLSPair()
    pair.carry()
    let piece = pattern(1000, seed: 5)
    var written: [UInt8] = []
    var before = -1
    while pair.server.output.count != before {
      before = pair.server.output.count
      let taken = piece.withUnsafeBytes { pair.server.write($0) }
      #expect(taken == piece.count)
      pair.server.flush()
      written += piece
    }
    pair.carry()
    #expect(pair.atClient == written)
    let isDone = pair.server.hasNothingToSend
    #expect(isDone)
  }

  @Test func nothingGrows() throws {
    var pair = try TLSPair()
    pair.carry()
    // Nobody fetches: in the end nothing is taken.
    let bytes = pattern(1 << 20, seed: 1)
    let taken = bytes.withUnsafeBytes { pair.server.write($0) }
    #expect(taken > 100_000 && taken < 150_000)
    #expect(pair.server.output.count < 150_000)
    #expect(bytes.withUnsafeBytes { pair.server.write($0) } < 16_385)
    #expect(bytes.withUnsafeBytes { pair.server.write($0) } == 0)
    // No room for plaintext: ciphertext stays where it is.
    let ciphertext = Array(pair.server.output)
    let result = ciphertext.withUnsafeBytes {
      pair.client.receive($0, into: UnsafeMutableRawBufferPointer(start: nil, count: 0))
    }
    #expect(result.taken == 0 && result.produced == 0)
    var some = [UInt8](repeating: 0, count: 10)
    let (first, produced) = ciphertext.withUnsafeBytes { bytes in
      some.withUnsafeMutableBytes { pair.client.receive(bytes, into: $0) }
    }
    #expect(produced == 10 && first < 17_000 && pair.client.hasPlaintext)
    // Where it is does not change while it is being sent.
    let address = pair.server.output.baseAddress
    pair.server.didSend(byteCount: 1000)
    #expect(pair.server.output.baseAddress == address.map { $0 + 1000 })
  }

  @Test(arguments: [false, true]) func mutual(_ isLimited: Bool) throws {
    let server = try TLSPair.server(authority: "authority")
    var pair = TLSPair(server: server, client: try TLSPair.client("client", isLimited: isLimited))
    pair.carry()
    #expect(pair.server.state == .open && pair.client.state == .open)
    pair.send([1, 2, 3], byServer: false)
    #expect(pair.atServer == [1, 2, 3])
  }

  @Test(arguments: [false, true]) func clientsThatAreRefused(_ isLimited: Bool) throws {
    let server = try TLSPair.server(authority: "authority")
    for (client, reason, alert) in [
      (nil, "peer did not return a certificate", isLimited ? "handshake failure" : "certificate required"),
      ("stranger", "certificate verify failed: unable to get local issuer certificate", "unknown ca"),
      ("expired", "certificate verify failed: certificate has expired", "certificate expired"),
    ] {
      var pair = TLSPair(server: server, client: try TLSPair.client(client, isLimited: isLimited))
      pair.carry()
      #expect(handshakeFailure(pair.server.state) == reason)
      // The client is told.
      #expect(failure(pair.client.state)?.reason.contains(alert) == true, "\(pair.client.state)")
      #expect([1].withUnsafeBytes { pair.server.write($0) } == 0)
      #expect(pair.atServer.isEmpty)
    }
  }

  @Test func serversThatAreRefused() throws {
    for (server, authority, name, reason, alert) in [
      ("server", "stranger-authority", "server.test", "unable to get local issuer certificate", "unknown ca"),
      ("server", "authority", "another.test", "hostname mismatch", "bad certificate"),
      ("expired", "authority", "server.test", "certificate has expired", "certificate expired"),
      ("future", "authority", "server.test", "certificate is not yet valid", "bad certificate"),
    ] {
      var pair = TLSPair(
        server: try TLSPair.server(server), client: try TLSPair.client(authority: authority), serverName: name)
      pair.carry()
      #expect(handshakeFailure(pair.client.state) == "certificate verify failed: \(reason)")
      #expect(handshakeFailure(pair.server.state)?.contains(alert) == true, "\(pair.server.state)")
    }
    let unnamed = TLSSession(try TLSPair.client(), serverName: String(repeating: "x", count: 300))
    #expect(handshakeFailure(unnamed.state)?.hasSuffix("is no name of a server") == true)
  }

  @Test func truncatedAnywhere() throws {
    var whole = try TLSPair()
    whole.carry()
    whole.send(pattern(1000, seed: 1), byServer: false)
    let count = whole.toServer.count
    for end in stride(from: 0, through: count, by: 31) {
      var pair = try TLSPair()
      // The handshake is not the same twice, but as long.
      while pair.toServer.count < end {
        let before = pair.toServer.count
        pair.carry(piece: min(7, end - pair.toServer.count))
        if pair.toServer.count == before {
          _ = pattern(1000, seed: 1).withUnsafeBytes { pair.client.write($0) }
          pair.client.flush()
          if pair.client.output.isEmpty { break }
        }
      }
      let isOpen = pair.server.state == .open
      pair.server.endOfStream()
      let failure = failure(pair.server.state)
      #expect(failure?.kind == (isOpen ? .truncated : .handshake))
      #expect([1].withUnsafeBytes { pair.server.write($0) } == 0)
    }
    // After close_notify it is the right thing.
    whole.client.endSending()
    whole.carry()
    whole.server.endOfStream()
    #expect(whole.server.state == .ended)
  }

  @Test func noise() throws {
    let context = try TLSPair.server(authority: "authority")
    var generator = SystemRandomNumberGenerator()
    for round in 0..<200 {
      var session = TLSSession(context)
      var plaintext: [UInt8] = []
      // Now and then it begins as a record of a handshake.
      let start: [UInt8] = round % 2 == 0 ? [] : [22, 3, 1, 0, 100, 1, 0, 0, 96, 3, 3]
      let count = Int.random(in: 300...5000, using: &generator)
      TLSPair.feed(
        start + (0..<count).map { _ in UInt8.random(in: 0...255, using: &generator) }, to: &session, &plaintext)
      session.endOfStream()
      #expect(handshakeFailure(session.state) != nil)
      #expect(plaintext.isEmpty)
    }
    var session = TLSSession(context)
    var plaintext: [UInt8] = []
    TLSPair.feed(Array("IHAVEOPT".utf8) + [0, 0, 0, 3, 0, 0, 0, 0], to: &session, &plaintext)
    #expect(handshakeFailure(session.state) == "wrong version number")
  }

  /// A bit that has changed anywhere in the data is noticed, and none of its record is given out.
  @Test func damage() throws {
    for bit in stride(from: 0, to: 8 * 120, by: 61) {
      var pair = try TLSPair()
      pair.carry()
      _ = pattern(100, seed: 1).withUnsafeBytes { pair.client.write($0) }
      pair.client.flush()
      var bytes = Array(pair.client.output)
      #expect(bytes.count >= 120)
      bytes[bit / 8] ^= 1 << (bit % 8)
      var plaintext: [UInt8] = []
      TLSPair.feed(bytes, to: &pair.server, &plaintext)
      #expect(plaintext.isEmpty)
      // A length that has grown is waited for.
      if pair.server.state == .open { pair.server.endOfStream() }
      #expect(failure(pair.server.state) != nil)
      #expect(failure(pair.server.state)?.kind != .handshake)
    }
  }
}
