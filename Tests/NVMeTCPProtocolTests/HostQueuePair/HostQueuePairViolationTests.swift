import NVMeProtocol
import NVMeTCPProtocol
import TestSupport
import Testing

/// Each rule broken by the controller ends the queue pair with the termination request that the specification asks for
/// (NVMe/TCP Transport Specification, section 3.5 and 3.6.2.4), or, where it is not fatal, fails the command.
@Suite("Host queue pair: what goes wrong")
struct HostQueuePairViolationTests {
  /// A queue pair with a read (token 0), an R2T write (token 1) and a flush (token 2) outstanding.
  private final class Scene {
    let harness: HostQueuePairHarness
    let readMemory = HostQueuePairMemory(pieces: [4000, 4192])
    let writeMemory = HostQueuePairMemory(content: pattern(32_768))
    let readIdentifier: UInt16
    let writeIdentifier: UInt16
    let flushIdentifier: UInt16
    var controller: HostQueuePairController { harness.controller }

    init(headerDigest: Bool = false, dataDigest: Bool = false) throws {
      harness = HostQueuePairHarness(inCapsule: 4096, headerDigest: headerDigest, dataDigest: dataDigest)
      try harness.connect(maximumH2CDataLength: 8192)
      harness.read(readMemory, token: 0)
      harness.write(writeMemory, token: 1)
      harness.flush(token: 2)
      harness.send()
      readIdentifier = try harness.controller.nextCommand().commandIdentifier
      writeIdentifier = try harness.controller.nextCommand().commandIdentifier
      flushIdentifier = try harness.controller.nextCommand().commandIdentifier
    }

    /// Feeds `bytes`, and expects the end of the connection, for the reason given.
    func expectEnd(
      _ bytes: [UInt8], _ status: FatalErrorStatus, information: UInt32, offending: [UInt8],
      sourceLocation: SourceLocation = #_sourceLocation
    ) throws {
      #expect(!harness.feed(bytes), sourceLocation: sourceLocation)
      #expect(harness.state == .terminating, sourceLocation: sourceLocation)
      #expect(!harness.flush(), "nothing is taken any more", sourceLocation: sourceLocation)
      #expect(!harness.feed(controller.response(flushIdentifier)), sourceLocation: sourceLocation)
      harness.send()
      let request = try #require(harness.termination, sourceLocation: sourceLocation)
      #expect(request.fatalErrorStatus == status, sourceLocation: sourceLocation)
      #expect(request.fatalErrorInformation == information, sourceLocation: sourceLocation)
      guard case .termination(_, let header) = controller.received.last else {
        Issue.record("something follows the termination request", sourceLocation: sourceLocation)
        return
      }
      #expect(header == offending, sourceLocation: sourceLocation)
      #expect(!harness.wantsToSend, sourceLocation: sourceLocation)
      #expect(readMemory.isGuardIntact && writeMemory.isGuardIntact, sourceLocation: sourceLocation)
      expectConservation(sourceLocation)
    }

    /// Every command has its end exactly once, when the connection is gone.
    func expectConservation(_ sourceLocation: SourceLocation = #_sourceLocation) {
      harness.engine.failAll()
      harness.takeCompletions()
      #expect(harness.completions.map(\.token).sorted() == [0, 1, 2], sourceLocation: sourceLocation)
      #expect(harness.freeSlotCount == 8 && harness.outstandingCount == 0, sourceLocation: sourceLocation)
    }
  }

  @Test("data for a command identifier that nobody has given out", arguments: [5, 7, 100, 0xFFFF] as [UInt16])
  func unknownCommand(identifier: UInt16) throws {
    let scene = try Scene()
    let pdu = scene.controller.data(identifier, offset: 0, pattern(512))
    try scene.expectEnd(pdu, .invalidPDUHeaderField, information: 8, offending: Array(pdu.prefix(24)))
  }

  @Test("a response to a command identifier that nobody has given out", arguments: [5, 7, 100, 0xFFFF] as [UInt16])
  func unknownResponse(identifier: UInt16) throws {
    let scene = try Scene()
    let pdu = scene.controller.response(identifier)
    try scene.expectEnd(pdu, .invalidPDUHeaderField, information: 8, offending: pdu)
  }

  @Test("an R2T for a command identifier that nobody has given out")
  func unknownRequest() throws {
    let scene = try Scene()
    let pdu = scene.controller.readyToTransfer(99, tag: 1, offset: 0, length: 512)
    try scene.expectEnd(pdu, .invalidPDUHeaderField, information: 8, offending: pdu)
  }

  @Test("a second response to a command")
  func finishedResponse() throws {
    let scene = try Scene()
    let pdu = scene.controller.response(scene.flushIdentifier)
    #expect(scene.harness.feed(pdu))
    try scene.expectEnd(pdu, .invalidPDUHeaderField, information: 8, offending: pdu)
  }

  @Test("data for a command that has ended")
  func finishedData() throws {
    let scene = try Scene()
    #expect(scene.harness.feed(scene.controller.response(scene.readIdentifier, status: .internalError)))
    let pdu = scene.controller.data(scene.readIdentifier, offset: 0, pattern(512))
    try scene.expectEnd(pdu, .invalidPDUHeaderField, information: 8, offending: Array(pdu.prefix(24)))
    #expect(scene.readMemory.content.allSatisfy { $0 == 0 })
  }

  @Test("an R2T for a command that has ended")
  func finishedRequest() throws {
    let scene = try Scene()
    #expect(scene.harness.feed(scene.controller.response(scene.writeIdentifier, status: .internalError)))
    let pdu = scene.controller.readyToTransfer(scene.writeIdentifier, tag: 1, offset: 0, length: 512)
    try scene.expectEnd(pdu, .invalidPDUHeaderField, information: 8, offending: pdu)
  }

  @Test("a response after SUCCESS")
  func responseAfterSuccess() throws {
    let scene = try Scene()
    let data = scene.controller.data(
      scene.readIdentifier, offset: 0, pattern(8192), isLast: true, isSuccess: true)
    #expect(scene.harness.feed(data))
    let pdu = scene.controller.response(scene.readIdentifier)
    try scene.expectEnd(pdu, .invalidPDUHeaderField, information: 8, offending: pdu)
  }

  @Test("data for a write, and for a command without data", arguments: [1, 2])
  func dataForAWrite(index: Int) throws {
    let scene = try Scene()
    let pdu = scene.controller.data(
      index == 1 ? scene.writeIdentifier : scene.flushIdentifier, offset: 0, pattern(512))
    try scene.expectEnd(pdu, .invalidPDUHeaderField, information: 8, offending: Array(pdu.prefix(24)))
    #expect(scene.writeMemory.content == pattern(32_768))
  }

  @Test("data beyond the buffer", arguments: [(0, 8196), (4096, 4100), (8188, 8)])
  func beyondTheBuffer(offset: Int, count: Int) throws {
    let scene = try Scene()
    if offset > 0 {
      #expect(scene.harness.feed(scene.controller.data(scene.readIdentifier, offset: 0, pattern(offset))))
    }
    let pdu = scene.controller.data(scene.readIdentifier, offset: offset, pattern(count))
    try scene.expectEnd(pdu, .dataTransferOutOfRange, information: 0, offending: Array(pdu.prefix(24)))
  }

  @Test("data whose end is beyond what 32 bits hold")
  func overflow() throws {
    let scene = try Scene()
    let pdu = scene.controller.data(scene.readIdentifier, offset: 0, pattern(512)) { header in
      header.replaceSubrange(12..<16, with: [0xFC, 0xFF, 0xFF, 0xFF])
    }
    try scene.expectEnd(pdu, .dataTransferOutOfRange, information: 0, offending: Array(pdu.prefix(24)))
  }

  @Test("data out of order, twice, or with a gap", arguments: [512, 4, 0])
  func outOfOrder(offset: Int) throws {
    let scene = try Scene()
    if offset == 0 {
      #expect(scene.harness.feed(scene.controller.data(scene.readIdentifier, offset: 0, pattern(512))))
    }
    let pdu = scene.controller.data(scene.readIdentifier, offset: offset, pattern(512))
    try scene.expectEnd(pdu, .dataTransferOutOfRange, information: 0, offending: Array(pdu.prefix(24)))
  }

  @Test(
    "an R2T outside of the data, overlapping, or with a gap",
    arguments: [(0, 32_772), (32_768, 4), (4, 512), (0xFFFF_FFFC, 4)])
  func requestOutOfRange(offset: Int, length: Int) throws {
    let scene = try Scene()
    let pdu = scene.controller.readyToTransfer(scene.writeIdentifier, tag: 1, offset: offset, length: length)
    try scene.expectEnd(pdu, .dataTransferOutOfRange, information: 0, offending: pdu)
  }

  @Test("an R2T for what has been sent already")
  func requestAgain() throws {
    let scene = try Scene()
    let pdu = scene.controller.readyToTransfer(scene.writeIdentifier, tag: 1, offset: 0, length: 4096)
    #expect(scene.harness.feed(pdu))
    scene.harness.send()
    try scene.expectEnd(pdu, .dataTransferOutOfRange, information: 0, offending: pdu)
  }

  @Test("an R2T for a read")
  func requestForARead() throws {
    let scene = try Scene()
    let pdu = scene.controller.readyToTransfer(scene.readIdentifier, tag: 1, offset: 0, length: 4096)
    try scene.expectEnd(pdu, .invalidPDUHeaderField, information: 8, offending: pdu)
  }

  @Test("an R2T for a write whose data went along in the capsule")
  func requestForInCapsuleData() throws {
    let harness = HostQueuePairHarness()
    try harness.connect()
    harness.write(HostQueuePairMemory(content: pattern(512)))
    harness.send()
    let identifier = try harness.controller.nextCommand().commandIdentifier
    #expect(!harness.feed(harness.controller.readyToTransfer(identifier, tag: 1, offset: 0, length: 512)))
    harness.send()
    #expect(harness.termination?.fatalErrorStatus == .invalidPDUHeaderField)
    #expect(harness.termination?.fatalErrorInformation == 8)
  }

  @Test("an R2T while another one is served: the limit is one (MAXR2T 0)")
  func secondRequest() throws {
    let scene = try Scene()
    #expect(
      scene.harness.feed(scene.controller.readyToTransfer(scene.writeIdentifier, tag: 1, offset: 0, length: 16384)))
    let pdu = scene.controller.readyToTransfer(scene.writeIdentifier, tag: 2, offset: 16384, length: 4096)
    try scene.expectEnd(pdu, .limitExceeded, information: 0, offending: pdu)
  }

  @Test("a termination request waits for the end of the PDU that is being sent")
  func terminationBetweenPDUs() throws {
    let harness = HostQueuePairHarness(inCapsule: 0, dataDigest: true)
    try harness.connect()
    let memory = HostQueuePairMemory(content: pattern(8000), pieces: Array(repeating: 4, count: 2000))
    harness.write(memory, token: 1)
    harness.send()
    let identifier = try harness.controller.nextCommand().commandIdentifier
    harness.feed(harness.controller.readyToTransfer(identifier, tag: 1, offset: 0, length: 8000))
    harness.sendCut = { 333 }
    harness.sendPiece()
    #expect(!harness.feed([9, 9, 9, 9, 9, 9, 9, 9]))
    harness.send()
    guard case .termination(let request, _) = harness.controller.received.last,
      case .data(_, let data) = harness.controller.received.dropLast().last
    else {
      Issue.record("not a whole H2CData, then H2CTermReq")
      return
    }
    #expect(data == pattern(8000) && request.fatalErrorStatus == .invalidPDUHeaderField)
    #expect(harness.completions.isEmpty)
    harness.engine.failAll()
    harness.takeCompletions()
    #expect(harness.completions.map(\.outcome) == [.connectionLost])
  }

  @Test("a wrong header digest", arguments: [0, 1, 2])
  func headerDigest(kind: Int) throws {
    let scene = try Scene(headerDigest: true, dataDigest: true)
    let right =
      switch kind {
      case 0: scene.controller.data(scene.readIdentifier, offset: 0, pattern(512))
      case 1: scene.controller.response(scene.flushIdentifier)
      default: scene.controller.readyToTransfer(scene.writeIdentifier, tag: 1, offset: 0, length: 512)
      }
    var pdu = right
    pdu[26] ^= 0x40
    let received = (0..<4).reduce(UInt32(0)) { $0 | UInt32(pdu[24 + $1]) << UInt32(8 * $1) }
    try scene.expectEnd(pdu, .headerDigestError, information: received, offending: Array(pdu.prefix(24)))
    #expect(scene.readMemory.content.allSatisfy { $0 == 0 })
  }

  @Test("a wrong data digest fails the command, not the connection", arguments: [nil, 1] as [Int?], [false, true])
  func dataDigest(directThreshold: Int?, isSuccess: Bool) throws {
    let scene = try Scene(dataDigest: true)
    scene.harness.directThreshold = directThreshold
    if directThreshold != nil { scene.harness.receiveCut = { 100 } }
    let content = pattern(8192)
    #expect(
      scene.harness.feed(
        scene.controller.data(scene.readIdentifier, offset: 0, content[0..<4096], breaksDigest: true)))
    // A later PDU that is right does not make it good, and neither does the response.
    #expect(
      scene.harness.feed(
        scene.controller.data(
          scene.readIdentifier, offset: 4096, content[4096...], isLast: true, isSuccess: isSuccess)))
    if !isSuccess { #expect(scene.harness.feed(scene.controller.response(scene.readIdentifier))) }
    let completion = try #require(scene.harness.completions.first)
    #expect(completion.token == 0 && completion.outcome == .dataDigestError)
    #expect(completion.status == .transientTransportError)
    #expect(scene.harness.state == .ready && scene.readMemory.isGuardIntact)
    // The slot's next command does not inherit it.
    scene.harness.read(scene.readMemory, token: 3)
    scene.harness.send()
    let identifier = try scene.controller.nextCommand().commandIdentifier
    #expect(
      scene.harness.feed(
        scene.controller.data(identifier, offset: 0, content, isLast: true, isSuccess: true)))
    #expect(scene.harness.completions.last?.outcome == .answered)
    #expect(scene.readMemory.content == content)
  }

  @Test("SUCCESS without LAST_PDU")
  func successWithoutLast() throws {
    let scene = try Scene()
    let pdu = scene.controller.data(scene.readIdentifier, offset: 0, pattern(8192)) { $0[1] |= 8 }
    try scene.expectEnd(pdu, .invalidPDUHeaderField, information: 1, offending: Array(pdu.prefix(8)))
  }

  @Test("success with too little data", arguments: [0, 512, 8188], [false, true])
  func shortData(count: Int, isSuccess: Bool) throws {
    if count == 0 && isSuccess { return }
    let scene = try Scene()
    if count > 0 {
      #expect(
        scene.harness.feed(
          scene.controller.data(
            scene.readIdentifier, offset: 0, pattern(count), isLast: true, isSuccess: isSuccess)))
    }
    if !isSuccess { #expect(scene.harness.feed(scene.controller.response(scene.readIdentifier))) }
    #expect(scene.harness.completions.map(\.outcome) == [.shortData])
    #expect(scene.harness.completions[0].status == .dataTransferError)
    #expect(scene.harness.state == .ready)
    scene.expectConservation()
  }

  @Test("an error with too little data is just that error")
  func shortDataWithError() throws {
    let scene = try Scene()
    #expect(
      scene.harness.feed(
        scene.controller.data(scene.readIdentifier, offset: 0, pattern(512), isLast: true)
          + scene.controller.response(scene.readIdentifier, status: .internalError)))
    #expect(scene.harness.completions.map(\.outcome) == [.answered])
    #expect(scene.harness.completions[0].status == .internalError)
  }

  @Test("success of a write whose data was not asked for, or not yet sent", arguments: [0, 512, 32_768])
  func shortWrite(requested: Int) throws {
    let scene = try Scene()
    var bytes: [UInt8] = []
    if requested > 0 {
      bytes = scene.controller.readyToTransfer(scene.writeIdentifier, tag: 1, offset: 0, length: requested)
    }
    #expect(scene.harness.feed(bytes + scene.controller.response(scene.writeIdentifier)))
    scene.harness.send()
    #expect(scene.harness.completions.map(\.outcome) == [.shortData])
    scene.expectConservation()
  }

  @Test("ICResp with other digests than asked for", arguments: [0, 1, 2, 3] as [UInt8], [0, 1, 2, 3] as [UInt8])
  func connectionDigests(asked: UInt8, granted: UInt8) throws {
    if asked == granted { return }
    let harness = HostQueuePairHarness(headerDigest: asked & 1 != 0, dataDigest: asked & 2 != 0)
    harness.send()
    let pdu = try harness.controller.connectionResponse(digests: PDUDigests(rawValue: granted))
    harness.controller.parameters = ConnectionParameters()
    #expect(!harness.feed(pdu))
    #expect(harness.state == .terminating)
    harness.send()
    #expect(harness.termination?.fatalErrorStatus == .invalidPDUHeaderField)
    #expect(harness.termination?.fatalErrorInformation == 11)
  }

  @Test("a second ICResp, and anything before the first")
  func phases() throws {
    let scene = try Scene()
    let response = ICResponse(digests: [], controllerPDUDataAlignment: 0, maximumH2CDataLength: 4096)
    let pdu = stored(ICResponse.byteCount, response.store(to:))
    try scene.expectEnd(pdu, .pduSequenceError, information: 0, offending: Array(pdu.prefix(8)))

    let harness = HostQueuePairHarness()
    harness.send()
    #expect(!harness.feed(scene.controller.response(0)))
    harness.send()
    #expect(harness.termination?.fatalErrorStatus == .pduSequenceError)
    #expect(harness.violation?.description.isEmpty == false)
  }

  @Test("C2HTermReq: the end, and no answer to it", arguments: [false, true])
  func controllerTermination(isInitialized: Bool) throws {
    let harness = HostQueuePairHarness(headerDigest: true)
    if isInitialized { try harness.connect() } else { harness.send() }
    let before = harness.controller.received.count
    if isInitialized { harness.flush(token: 3) }
    harness.send()
    let offending = pattern(72)
    #expect(
      !harness.feed(
        harness.controller.terminationRequest(.headerDigestError, information: 0xDEAD_BEEF, offendingHeader: offending))
    )
    #expect(harness.state == .terminatedByController)
    #expect(harness.controllerTermination?.fatalErrorStatus == .headerDigestError)
    #expect(harness.controllerTermination?.fatalErrorInformation == 0xDEAD_BEEF)
    harness.send()
    #expect(harness.termination == nil)
    #expect(harness.controller.received.count == before + (isInitialized ? 1 : 0))
    harness.engine.failAll()
    harness.takeCompletions()
    #expect(harness.completions.map(\.outcome) == (isInitialized ? [.connectionLost] : []))
  }

  @Test("a C2HTermReq that is broken itself is not answered", arguments: [16, 153, 1 << 20] as [UInt32])
  func brokenTermination(length: UInt32) throws {
    let scene = try Scene()
    var pdu = scene.controller.terminationRequest(.limitExceeded, information: 0, offendingHeader: [])
    withUnsafeBytes(of: length.littleEndian) { pdu.replaceSubrange(4..<8, with: $0) }
    #expect(!scene.harness.feed(pdu))
    #expect(scene.harness.state == .terminating)
    scene.harness.send()
    #expect(scene.harness.termination == nil)
    scene.expectConservation()
  }

  @Test("a common header that is nonsense: eight bytes of it are reported, no more", arguments: 0..<64)
  func nonsense(seed: UInt64) throws {
    let scene = try Scene()
    var bytes = pattern(8, seed: seed)
    // Longest claim there is: nothing behind the eight bytes may be looked at.
    bytes[2] = 255
    let before = scene.harness.controller.received.count
    #expect(!scene.harness.feed(bytes))
    scene.harness.send()
    if case .termination(_, let offending) = scene.harness.controller.received.dropFirst(before).first {
      #expect(offending == bytes)
    } else {
      #expect(bytes[0] == 3, "only a termination request is not answered")
    }
    scene.expectConservation()
  }
}
