import BlockDevice
import Glibc
import NVMeHost
import NVMeProtocol
import NVMeTCPProtocol
import RingReactor
import Testing

/// Whatever a target does while a host connects: a typed error, a clean end, nothing left.
@Suite("Hostile target: connecting", .serialized)
struct HostileConnectTests {
  /// The PDUs that a good target sends, by connection.
  static func goodPDUs(_ scene: HostileScene) async throws -> [[[UInt8]]] {
    let target = try HostileTarget()
    let controller = scene.makeController(port: target.port, milliseconds: 20_000)
    controller.connect()
    try await controller.ready()
    #expect(controller.snapshot.namespaces.count == 1)
    await controller.disconnect()
    let record = await scene.stop(target)
    #expect(record.endedCount == 2 && record.terminations.isEmpty)
    #expect(try await scene.isEmpty())
    // Not those of the shutdown: two Property Sets and Gets, and what is sent there is sent to a host that leaves.
    return [Array(record.pdus[0].dropLast(2)), record.pdus[1]]
  }

  /// A place in the conversation.
  struct Place: Sendable, CustomStringConvertible {
    var connection: Int
    var index: Int
    /// Bytes of this PDU that are sent.
    var cut: Int
    var closes: Bool
    var description: String {
      "connection \(connection), PDU \(index) cut at \(cut), \(closes ? "closed" : "silent")"
    }
  }

  @Test(
    "stops in the middle of every PDU, at every byte of its header: closes, or falls silent", arguments: [true, false])
  func stops(closes: Bool) async throws {
    let scene = try HostileScene()
    let good = try await Self.goodPDUs(scene)
    #expect(good[0].count >= 14 && good[1].count == 2)
    var places: [Place] = []
    for (connection, pdus) in good.enumerated() {
      for (index, pdu) in pdus.enumerated() {
        // ICResp's last 112 bytes are one reserved field.
        let header = index == 0 ? Array(0..<17) + [64, 127] : Array(0..<24)
        let cuts = header + (pdu.count > 24 && index > 0 ? [24, 25, pdu.count - 1] : [])
        places += cuts.map { Place(connection: connection, index: index, cut: $0, closes: closes) }
      }
    }
    try await HostileScene.forEach(places) { place in
      // Long enough for an honest step on a busy machine where the target closes; where it is silent, any step may be
      // the one that takes too long.
      _ = try await scene.expectRefusal(
        milliseconds: closes ? 20_000 : 200,
        script: { connection, index, pdu in
          guard connection == place.connection, index == place.index else { return [.send(pdu)] }
          return [.send(Array(pdu.prefix(place.cut))), closes ? .close : .silence]
        },
        isExpected: { error in
          switch error {
          case .transport(let queue, let reason):
            return closes ? queue == place.connection && (reason.kind == .closedByPeer || reason.kind == .broken) : true
          case .adminTimeout: return !closes
          default: return false
          }
        }, comment: "\(place)")
    }
    #expect(try await scene.isEmpty())
    scene.thread.stop()
  }

  @Test("resets the connection instead of every PDU")
  func resets() async throws {
    let scene = try HostileScene()
    let good = try await Self.goodPDUs(scene)
    let places = good.enumerated().flatMap { connection, pdus in pdus.indices.map { (connection, $0) } }
    try await HostileScene.forEach(places) { place in
      _ = try await scene.expectRefusal(
        milliseconds: 20_000,
        script: { connection, index, pdu in (connection, index) == place ? [.reset] : [.send(pdu)] },
        isExpected: { error in
          if case .transport(let queue, let reason) = error, Int(queue) == place.0 {
            return reason.kind == .broken || reason.kind == .closedByPeer
          }
          return false
        }, comment: "reset instead of PDU \(place)")
    }
    #expect(try await scene.isEmpty())
    scene.thread.stop()
  }

  @Test("changes every byte of every header: never a crash, a hang, or something left")
  func changedBytes() async throws {
    let scene = try HostileScene()
    let good = try await Self.goodPDUs(scene)
    var places: [Place] = []
    for (connection, pdus) in good.enumerated() {
      for index in pdus.indices {
        places += (0..<24).map { Place(connection: connection, index: index, cut: $0, closes: false) }
      }
    }
    try await HostileScene.forEach(places) { place in
      let target = try HostileTarget { connection, index, pdu in
        guard connection == place.connection, index == place.index else { return [.send(pdu)] }
        var changed = pdu
        changed[place.cut] ^= 0x81
        return [.send(changed)]
      }
      // Some bytes do not matter (reserved, results): then it may even become ready.
      let controller = scene.makeController(port: target.port, milliseconds: 1000)
      controller.connect()
      do throws(ControllerError) { try await controller.ready() } catch { #expect(!error.description.isEmpty) }
      await controller.disconnect()
      let record = await scene.stop(target)
      #expect(record.endedCount == record.acceptedCount, "a connection stayed open: changed, \(place)")
    }
    #expect(try await scene.isEmpty())
    scene.thread.stop()
  }

  struct Trick: Sendable, CustomTestStringConvertible {
    var name: String
    var connection = 0
    var index: Int
    var kind: TransportError.Kind?
    var fatalErrorStatus: FatalErrorStatus?
    var replacement: @Sendable ([UInt8]) -> [HostileTarget.Deed]
    var testDescription: String { name }
  }

  private static func noise(_ count: Int) -> [UInt8] {
    var state: UInt64 = 0x9E37_79B9
    // The first byte is no PDU type.
    return [0xAA]
      + (1..<count).map { _ in
        state = state &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
        return UInt8(truncatingIfNeeded: state >> 33)
      }
  }

  static let tricks: [Trick] = [
    Trick(
      name: "noise instead of ICResp", index: 0, kind: .protocolViolation, fatalErrorStatus: .invalidPDUHeaderField
    ) { _ in [.send(noise(2000))] },
    Trick(
      name: "an HTTP answer", index: 0, kind: .protocolViolation, fatalErrorStatus: .invalidPDUHeaderField
    ) { _ in [.send(Array("HTTP/1.1 400 Bad Request\r\n\r\n".utf8))] },
    Trick(
      name: "a capsule instead of ICResp", index: 0, kind: .protocolViolation, fatalErrorStatus: .pduSequenceError
    ) { _ in [.send(HostileTarget.response(0))] },
    Trick(
      name: "ICResp twice", index: 0, kind: .protocolViolation, fatalErrorStatus: .pduSequenceError
    ) { [.send($0 + $0)] },
    Trick(
      name: "ICResp with a digest nobody asked for", index: 0, kind: .protocolViolation,
      fatalErrorStatus: .invalidPDUHeaderField
    ) { pdu in
      var pdu = pdu
      pdu[11] = 1
      return [.send(pdu)]
    },
    Trick(
      name: "ICResp with MAXH2CDATA 0", index: 0, kind: .protocolViolation, fatalErrorStatus: .invalidPDUHeaderField
    ) { pdu in
      var pdu = pdu
      pdu.replaceSubrange(12..<16, with: [0, 0, 0, 0])
      return [.send(pdu)]
    },
    Trick(name: "C2HTermReq instead of ICResp", index: 0, kind: .terminatedByController) { _ in
      [.send(HostileTarget.termination(.unsupportedParameter))]
    },
    Trick(name: "C2HTermReq after ICResp", index: 0, kind: .terminatedByController) {
      [.send($0 + HostileTarget.termination(.invalidPDUHeaderField))]
    },
    Trick(
      name: "an oversized PDU", index: 1, kind: .protocolViolation, fatalErrorStatus: .invalidPDUHeaderField
    ) { pdu in
      var pdu = pdu
      pdu.replaceSubrange(4..<8, with: [0xFF, 0xFF, 0xFF, 0xFF])
      return [.send(pdu)]
    },
    Trick(
      name: "Connect answered twice", index: 1, kind: .protocolViolation, fatalErrorStatus: .invalidPDUHeaderField
    ) { [.send($0 + $0)] },
    Trick(
      name: "data for Connect", index: 1, kind: .protocolViolation, fatalErrorStatus: .invalidPDUHeaderField
    ) { [.send(HostileTarget.data(identifier($0), offset: 0, noise(512)))] },
    Trick(
      name: "an R2T for Connect, whose data went along", index: 1, kind: .protocolViolation,
      fatalErrorStatus: .invalidPDUHeaderField
    ) { [.send(HostileTarget.readyToTransfer(identifier($0), offset: 0, length: 1024))] },
    Trick(
      name: "data for Property Get", index: 2, kind: .protocolViolation, fatalErrorStatus: .invalidPDUHeaderField
    ) { [.send(HostileTarget.data(identifier($0), offset: 0, noise(512)))] },
    Trick(
      name: "Identify data beyond the buffer", index: 6, kind: .protocolViolation,
      fatalErrorStatus: .dataTransferOutOfRange
    ) { pdu in
      let identifier = UInt16(pdu[8]) | UInt16(pdu[9]) << 8
      return [.send(HostileTarget.data(identifier, offset: 0, noise(8192)))]
    },
    Trick(
      name: "Identify data out of order", index: 6, kind: .protocolViolation,
      fatalErrorStatus: .dataTransferOutOfRange
    ) { pdu in
      let identifier = UInt16(pdu[8]) | UInt16(pdu[9]) << 8
      return [.send(HostileTarget.data(identifier, offset: 2048, noise(512)))]
    },
    Trick(
      name: "noise on the I/O queue", connection: 1, index: 0, kind: .protocolViolation,
      fatalErrorStatus: .invalidPDUHeaderField
    ) { _ in [.send(noise(300))] },
  ]

  /// CID of a response capsule.
  private static func identifier(_ pdu: [UInt8]) -> UInt16 { UInt16(pdu[20]) | UInt16(pdu[21]) << 8 }

  @Test("breaks the rules", arguments: tricks)
  func breaksTheRules(trick: Trick) async throws {
    let scene = try HostileScene()
    let record = try await scene.expectRefusal(
      milliseconds: 20_000,
      script: { connection, index, pdu in
        connection == trick.connection && index == trick.index ? trick.replacement(pdu) : [.send(pdu)]
      },
      isExpected: { error in
        if case .transport(let queue, let reason) = error {
          return Int(queue) == trick.connection && reason.kind == trick.kind
        }
        return false
      }, comment: trick.name)
    #expect(record.terminations.map(\.fatalErrorStatus) == (trick.fatalErrorStatus.map { [$0] } ?? []))
    #expect(try await scene.isEmpty())
    scene.thread.stop()
  }

  @Test("short or no Identify data reported as success", arguments: [0, 2048])
  func shortIdentify(count: Int) async throws {
    let scene = try HostileScene()
    _ = try await scene.expectRefusal(
      milliseconds: 20_000,
      script: { connection, index, pdu in
        guard connection == 0, index == 6 else { return [.send(pdu)] }
        let identifier = UInt16(pdu[8]) | UInt16(pdu[9]) << 8
        return count == 0 ? [] : [.send(HostileTarget.data(identifier, offset: 0, Array(pdu[24..<24 + count])))]
      },
      isExpected: { if case .refused(_, .dataTransferError) = $0 { true } else { false } },
      comment: "Identify data of \(count) bytes")
    #expect(try await scene.isEmpty())
    scene.thread.stop()
  }

  @Test("never answers one of the steps, each in its turn")
  func silence() async throws {
    let scene = try HostileScene()
    let good = try await Self.goodPDUs(scene)
    let places = good.enumerated().flatMap { connection, pdus in pdus.indices.map { (connection, $0) } }
    try await HostileScene.forEach(places) { place in
      _ = try await scene.expectRefusal(
        milliseconds: 300,
        script: { connection, index, pdu in (connection, index) == place ? [.silence] : [.send(pdu)] },
        isExpected: { error in
          switch error {
          case .transport(_, let reason):
            // On a slow machine an honest step before may have taken too long.
            return reason.kind == .timedOut && (place.1 > 0 || reason.message.contains("no ICResp came"))
          case .adminTimeout: return true
          default: return false
          }
        }, comment: "never sent: PDU \(place)")
    }
    #expect(try await scene.isEmpty())
    scene.thread.stop()
  }

  @Test("wants authentication: Connect succeeds, and says so", arguments: [0, 1])
  func authenticationRequired(queue: Int) async throws {
    let scene = try HostileScene()
    _ = try await scene.expectRefusal(
      milliseconds: 20_000,
      script: { connection, index, pdu in
        guard connection == queue, index == 1 else { return [.send(pdu)] }
        // AUTHREQ.ATR, bit 17 of dword 0, which is behind the header.
        var changed = pdu
        changed[8 + 2] |= 1 << 1
        return [.send(changed)]
      },
      isExpected: { error in
        guard case .connectRefused(let identifier, let status, _, _, _) = error else { return false }
        return identifier == queue && status.matches(.authenticationRequired) && error.isPermanent
      }, comment: "authentication is required")
    #expect(try await scene.isEmpty())
    scene.thread.stop()
  }

  @Test("a controller that never becomes ready")
  func neverReady() async throws {
    let scene = try HostileScene()
    let target = try HostileTarget { connection, index, pdu in
      // CSTS is read from the fifth answer on: never RDY.
      guard connection == 0, index >= 5, pdu.count == 24, pdu[0] == 5 else { return [.send(pdu)] }
      return [.send(HostileTarget.response(UInt16(pdu[20]) | UInt16(pdu[21]) << 8, result: 0))]
    }
    let controller = scene.makeController(port: target.port, milliseconds: 20_000)
    controller.connect()
    await #expect(throws: ControllerError.notReady(timeoutMilliseconds: 500)) { try await controller.ready() }
    #expect(await scene.stop(target).endedCount == 1)
    #expect(try await scene.isEmpty())
    scene.thread.stop()
  }

  @Test("nobody there, and a host that changes its mind at once")
  func nobody() async throws {
    let scene = try HostileScene()
    let target = try HostileTarget()
    let port = target.port
    _ = await scene.stop(target)
    let controller = scene.makeController(port: port, milliseconds: 20_000)
    controller.connect()
    do throws(ControllerError) {
      try await controller.ready()
      Issue.record("ready")
    } catch {
      if case .transport(0, let reason) = error { #expect(reason.kind == .connect) } else { Issue.record("\(error)") }
    }
    // It can be tried again, and given up at any moment.
    for _ in 0..<20 {
      controller.connect()
      await controller.disconnect()
    }
    #expect(try await scene.isEmpty())

    let silent = try HostileTarget { _, _, _ in [.silence] }
    for _ in 0..<20 {
      let controller = scene.makeController(port: silent.port, milliseconds: 20_000)
      controller.connect()
      await controller.disconnect()
    }
    #expect(try await scene.isEmpty())
    let record = await scene.stop(silent)
    #expect(record.endedCount == record.acceptedCount)
    scene.thread.stop()
  }

  @Test("the host's reactor is stopped while it connects", arguments: 0..<10)
  func stoppedReactor(moment: UInt32) async throws {
    let scene = try HostileScene()
    let target = try HostileTarget { _, index, pdu in index == Int(moment) ? [.silence] : [.send(pdu)] }
    let controller = scene.makeController(port: target.port, milliseconds: 20_000)
    controller.connect()
    try await Task.sleep(for: .milliseconds(Int(moment) * 2))
    scene.thread.stop()
    await #expect(throws: ControllerError.self) { try await controller.ready() }
    await controller.disconnect()
    let record = await scene.stop(target)
    #expect(record.endedCount == record.acceptedCount)
  }
}
