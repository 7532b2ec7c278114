import NVMeProtocol
import NVMeTCPProtocol
import TestSupport
import Testing

@Suite("Host queue pair: what goes right")
struct HostQueuePairTests {
  @Test("ICReq asks for what is configured; ICResp makes it ready")
  func initialization() throws {
    let harness = HostQueuePairHarness(headerDigest: true, dataDigest: true, hostAlignment: 3)
    #expect(harness.state == .initializing)
    #expect(harness.wantsToSend)
    #expect(!harness.flush(), "no command before ICResp")
    try harness.connect(controllerAlignment: 7, maximumH2CDataLength: 8192)
    #expect(
      harness.controller.received == [
        .connectionRequest(ICRequest(digests: [.header, .data], hostPDUDataAlignment: 3))
      ])
    #expect(harness.parameters.headerDigest && harness.parameters.dataDigest)
    #expect(harness.parameters.controllerPDUDataAlignmentBytes == 32)
    #expect(harness.parameters.maximumH2CDataLength == 8192)
    #expect(!harness.wantsToSend)
  }

  @Test("a command without data", arguments: [false, true])
  func noData(headerDigest: Bool) throws {
    let harness = HostQueuePairHarness(headerDigest: headerDigest)
    try harness.connect()
    #expect(harness.flush(token: 77))
    #expect(harness.outstandingCount == 1)
    harness.send()
    let command = try harness.controller.nextCommand()
    #expect(command.opcode == 0 && command.sgl == .transport(length: 0))
    #expect(harness.feed(harness.controller.response(command.commandIdentifier, result: 0x1_0000_0002)))
    let completion = try #require(harness.completions.first)
    #expect(completion.token == 77 && completion.outcome == .answered && completion.status.isSuccess)
    #expect(completion.result == 0x1_0000_0002)
    #expect(harness.outstandingCount == 0 && harness.freeSlotCount == 8)
  }

  @Test("traffic is a command submitted and answered since the last look")
  func traffic() throws {
    let harness = HostQueuePairHarness(depth: 2)
    try harness.connect()
    func submitOne() throws -> UInt16 {
      #expect(harness.flush())
      harness.send()
      return try harness.controller.nextCommand().commandIdentifier
    }
    // The first look has none before it.
    #expect(!harness.takeTraffic() && !harness.takeTraffic())
    let first = try submitOne()
    #expect(harness.feed(harness.controller.response(first)))
    #expect(harness.takeTraffic() && !harness.takeTraffic())
    // Submitted before a look and answered after it: the controller may have fetched it long ago.
    let second = try submitOne()
    #expect(!harness.takeTraffic())
    #expect(harness.feed(harness.controller.response(second)))
    #expect(!harness.takeTraffic())
    // One that stays outstanding hides nothing.
    _ = try submitOne()
    #expect(!harness.takeTraffic())
    for _ in 0..<40_000 { #expect(harness.feed(harness.controller.response(try submitOne()))) }
    #expect(harness.takeTraffic() && !harness.takeTraffic())
  }

  struct ReadCase: Sendable, CustomTestStringConvertible {
    var name: String
    var pieces: [Int]
    /// Lengths of the C2HData PDUs.
    var pdus: [Int]
    var isSuccess = false
    var headerDigest = false
    var dataDigest = false
    var hostAlignment: UInt8 = 0
    var extraPadding = 0
    var testDescription: String { name }
  }

  static let reads = [
    ReadCase(name: "one PDU", pieces: [4096], pdus: [4096]),
    ReadCase(name: "several PDUs", pieces: [4096], pdus: [512, 1024, 4, 2556]),
    ReadCase(name: "SUCCESS, no response capsule", pieces: [4096], pdus: [2048, 2048], isSuccess: true),
    ReadCase(name: "digests", pieces: [4096], pdus: [1024, 3072], headerDigest: true, dataDigest: true),
    ReadCase(
      name: "digests, SUCCESS, alignment 128", pieces: [4096], pdus: [4096], isSuccess: true, headerDigest: true,
      dataDigest: true, hostAlignment: 31),
    ReadCase(name: "more padding than asked for", pieces: [4096], pdus: [4096], extraPadding: 200),
    ReadCase(name: "odd vectors", pieces: [1, 511, 0, 3, 2000, 1581], pdus: [516, 512, 3068], dataDigest: true),
    ReadCase(name: "hundreds of vectors", pieces: Array(repeating: 7, count: 700), pdus: [2000, 2900]),
    ReadCase(
      name: "data not a multiple of 4", pieces: [3, 4], pdus: [7], headerDigest: true, dataDigest: true),
  ]

  @Test("reads", arguments: reads, [nil, 1, 100] as [Int?])
  func read(_ test: ReadCase, directThreshold: Int?) throws {
    let harness = HostQueuePairHarness(
      headerDigest: test.headerDigest, dataDigest: test.dataDigest, hostAlignment: test.hostAlignment)
    harness.directThreshold = directThreshold
    // Many small steps, so that there is a payload under way to be received directly.
    if directThreshold != nil { harness.receiveCut = { 32 } }
    try harness.connect()
    let memory = HostQueuePairMemory(pieces: test.pieces)
    let content = pattern(memory.byteCount)
    #expect(harness.read(memory, token: 5))
    harness.send()
    let command = try harness.controller.nextCommand()
    #expect(command.sgl == .transport(length: UInt32(memory.byteCount)))
    var offset = 0
    for (index, count) in test.pdus.enumerated() {
      let isLast = index == test.pdus.count - 1
      #expect(harness.completions.isEmpty)
      #expect(
        harness.feed(
          harness.controller.data(
            command.commandIdentifier, offset: offset, content[offset..<offset + count], isLast: isLast,
            isSuccess: isLast && test.isSuccess, extraPadding: test.extraPadding)))
      offset += count
    }
    if !test.isSuccess {
      #expect(harness.completions.isEmpty)
      #expect(harness.feed(harness.controller.response(command.commandIdentifier)))
    }
    #expect(harness.completions.map(\.token) == [5])
    #expect(harness.completions[0].outcome == .answered && harness.completions[0].status.isSuccess)
    #expect(memory.content == content)
    #expect(memory.isGuardIntact)
    #expect(harness.freeSlotCount == 8)
  }

  /// Where IOCCSZ leaves no room for data in I/O commands' capsules, too.
  @Test("a Fabrics command's data goes in its capsule on every queue", arguments: [0, 512, 8192])
  func fabricsData(inCapsule: Int) throws {
    let harness = HostQueuePairHarness(inCapsule: inCapsule)
    try harness.connect()
    let memory = HostQueuePairMemory(content: pattern(1024), pieces: [1024])
    harness.fabricsConnect(memory)
    harness.send()
    #expect(try harness.controller.nextCommand().sgl == .inCapsule(offset: 0, length: 1024))
    guard case .command(_, let data) = harness.controller.received.last else {
      Issue.record("no command")
      return
    }
    #expect(data == memory.content)
  }

  @Test("a part of a vector list is read and written, no byte beside it")
  func parts() throws {
    let harness = HostQueuePairHarness(inCapsule: 0)
    try harness.connect()
    let memory = HostQueuePairMemory(pieces: [100, 50, 100])
    memory.content = [UInt8](repeating: 9, count: 250)
    harness.read(memory, segments: memory.segments(from: 98, count: 60))
    harness.send()
    let identifier = try harness.controller.nextCommand().commandIdentifier
    let content = pattern(60)
    harness.feed(harness.controller.data(identifier, offset: 0, content, isLast: true, isSuccess: true))
    var expected = [UInt8](repeating: 9, count: 250)
    expected.replaceSubrange(98..<158, with: content)
    #expect(memory.content == expected)

    harness.write(memory, segments: memory.segments(from: 98, count: 60))
    harness.send()
    let second = try harness.controller.nextCommand().commandIdentifier
    harness.feed(harness.controller.readyToTransfer(second, tag: 1, offset: 0, length: 60))
    harness.send()
    #expect(harness.transferred(second, byteCount: 60) == content)
    harness.feed(harness.controller.response(second))
    #expect(harness.completions.count == 2)
  }

  struct WriteCase: Sendable, CustomTestStringConvertible {
    var name: String
    var pieces: [Int]
    /// Lengths of the R2Ts; none for data in the capsule.
    var requests: [Int] = []
    var maximumH2CDataLength: UInt32 = 131_072
    var headerDigest = false
    var dataDigest = false
    var controllerAlignment: UInt8 = 0
    var testDescription: String { name }
  }

  static let writes = [
    WriteCase(name: "in the capsule", pieces: [4096]),
    WriteCase(name: "in the capsule, digests", pieces: [4096], headerDigest: true, dataDigest: true),
    WriteCase(
      name: "in the capsule, digests, alignment 128", pieces: [1, 4095], headerDigest: true, dataDigest: true,
      controllerAlignment: 31),
    WriteCase(name: "in the capsule, alignment 16", pieces: [5, 91], controllerAlignment: 3),
    WriteCase(name: "one R2T", pieces: [16384], requests: [16384]),
    WriteCase(name: "several R2Ts", pieces: [16384], requests: [4096, 4, 8188, 4096]),
    WriteCase(name: "split at MAXH2CDATA", pieces: [20000], requests: [20000], maximumH2CDataLength: 4096),
    WriteCase(
      name: "R2Ts, digests, alignment 64", pieces: [16384], requests: [8192, 8192], maximumH2CDataLength: 4096,
      headerDigest: true, dataDigest: true, controllerAlignment: 15),
    WriteCase(
      name: "odd vectors", pieces: [1, 9000, 0, 3, 1381], requests: [10385], maximumH2CDataLength: 4100,
      dataDigest: true),
    WriteCase(
      name: "hundreds of vectors", pieces: Array(repeating: 13, count: 1500), requests: [19500], dataDigest: true),
    WriteCase(
      name: "hundreds of vectors in the capsule", pieces: Array(repeating: 7, count: 1100), headerDigest: true,
      dataDigest: true),
  ]

  @Test("writes", arguments: writes, [nil, 1, 4097] as [Int?])
  func write(_ test: WriteCase, sendCut: Int?) throws {
    let harness = HostQueuePairHarness(headerDigest: test.headerDigest, dataDigest: test.dataDigest)
    if let sendCut { harness.sendCut = { sendCut } }
    try harness.connect(
      controllerAlignment: test.controllerAlignment, maximumH2CDataLength: test.maximumH2CDataLength)
    let content = pattern(test.pieces.reduce(0, +))
    let memory = HostQueuePairMemory(content: content, pieces: test.pieces)
    #expect(harness.write(memory, token: 6))
    harness.send()
    let command = try harness.controller.nextCommand()
    if test.requests.isEmpty {
      #expect(command.sgl == .inCapsule(offset: 0, length: UInt32(content.count)))
      guard case .command(_, let data) = harness.controller.received.last else {
        Issue.record("no command")
        return
      }
      #expect(data == content)
    } else {
      #expect(command.sgl == .transport(length: UInt32(content.count)))
    }
    var offset = 0
    for (index, count) in test.requests.enumerated() {
      let before = harness.controller.received.count
      let tag = UInt16(truncatingIfNeeded: 0xFFF0 &+ index)
      #expect(
        harness.feed(
          harness.controller.readyToTransfer(command.commandIdentifier, tag: tag, offset: offset, length: count)))
      #expect(harness.wantsToSend)
      harness.send()
      try check(
        harness.controller.received[before...], tag: tag, offset: offset, count: count, command: command,
        maximum: Int(test.maximumH2CDataLength))
      offset += count
    }
    #expect(
      harness.transferred(command.commandIdentifier, byteCount: test.requests.isEmpty ? 0 : content.count)
        == (test.requests.isEmpty ? [] : content))
    #expect(harness.controller.isBetweenPDUs && !harness.wantsToSend)
    #expect(harness.completions.isEmpty)
    #expect(harness.feed(harness.controller.response(command.commandIdentifier, result: 3)))
    #expect(harness.completions.map(\.token) == [6])
    #expect(harness.completions[0].outcome == .answered && harness.completions[0].result == 3)
    #expect(memory.content == content && memory.isGuardIntact)
  }

  private func check(
    _ pdus: ArraySlice<HostQueuePairOutput>, tag: UInt16, offset: Int, count: Int, command: SubmissionQueueEntry,
    maximum: Int
  ) throws {
    var next = offset
    for pdu in pdus {
      guard case .data(let header, let data) = pdu else {
        Issue.record("not an H2CData: \(pdu)")
        continue
      }
      #expect(header.transferTag == tag && header.commandIdentifier == command.commandIdentifier)
      #expect(Int(header.dataOffset) == next && data.count == Int(header.dataLength))
      #expect(data.count <= maximum)
      next += data.count
      #expect(header.common.flags.contains(.last) == (next == offset + count))
    }
    #expect(next == offset + count)
  }

  @Test("a response that overtakes the send's completion ends the command when the memory is released")
  func earlyResponse() throws {
    let harness = HostQueuePairHarness(depth: 1)
    try harness.connect()
    let memory = HostQueuePairMemory(content: pattern(4096))
    harness.write(memory, token: 1)
    harness.sendCut = { 100 }
    harness.sendPiece()
    // The identifier is the first one of slot 0: the controller cannot know it yet, a hostile one may guess.
    let vectors = harness.engine.sendVectors
    #expect(vectors.count > 0)
    var header = [UInt8](repeating: 0, count: 72)
    for index in 0..<72 { header[index] = harness.output[128 + index] }
    let identifier = header.withUnsafeBytes { SubmissionQueueEntry(loading: $0.baseAddress! + 8).commandIdentifier }
    #expect(harness.feed(harness.controller.response(identifier)))
    #expect(harness.completions.isEmpty, "the kernel still reads the memory")
    #expect(harness.outstandingCount == 1)
    harness.send()
    #expect(harness.completions.map(\.token) == [1])
    #expect(harness.freeSlotCount == 1)
  }

  @Test("an error response before the requested data has gone: the PDU under way is finished, the rest is not sent")
  func errorInTheMiddleOfAnR2T() throws {
    let harness = HostQueuePairHarness(depth: 1, inCapsule: 0)
    try harness.connect(maximumH2CDataLength: 4096)
    // More vectors than one batch takes, so that the first PDU reaches over several batches.
    let memory = HostQueuePairMemory(content: pattern(8000), pieces: Array(repeating: 4, count: 2000))
    harness.write(memory, token: 1)
    harness.send()
    let identifier = try harness.controller.nextCommand().commandIdentifier
    harness.feed(harness.controller.readyToTransfer(identifier, tag: 9, offset: 0, length: 8000))
    harness.sendPiece()
    #expect(harness.feed(harness.controller.response(identifier, status: .internalError)))
    #expect(harness.completions.isEmpty)
    harness.send()
    #expect(harness.controller.isBetweenPDUs)
    let sent = harness.controller.received.reduce(0) { if case .data(_, let data) = $1 { $0 + data.count } else { $0 } }
    #expect(sent == 4096)
    #expect(harness.completions.map(\.status) == [.internalError])
    #expect(harness.freeSlotCount == 1 && !harness.wantsToSend)
    harness.flush(token: 2)
    harness.send()
    harness.feed(harness.controller.response(try harness.controller.nextCommand().commandIdentifier))
    #expect(harness.completions.map(\.token) == [1, 2])
  }

  @Test("an error response to a command whose R2T waits in the send queue")
  func errorWhileQueued() throws {
    let harness = HostQueuePairHarness(depth: 1, inCapsule: 0)
    try harness.connect()
    let memory = HostQueuePairMemory(content: pattern(8192))
    harness.write(memory, token: 1)
    harness.send()
    let identifier = try harness.controller.nextCommand().commandIdentifier
    harness.feed(
      harness.controller.readyToTransfer(identifier, tag: 9, offset: 0, length: 8192)
        + harness.controller.response(identifier, status: .internalError))
    #expect(harness.completions.isEmpty && harness.wantsToSend)
    #expect(harness.buildSend() == 0)
    #expect(harness.hasCompletions)
    harness.takeCompletions()
    #expect(harness.completions.map(\.status) == [.internalError])
    #expect(harness.freeSlotCount == 1 && !harness.wantsToSend)
  }

  @Test("more commands than one batch takes", arguments: [nil, 1000] as [Int?])
  func manyCommands(sendCut: Int?) throws {
    let depth = 1000
    let harness = HostQueuePairHarness(depth: depth, headerDigest: true, dataDigest: true)
    if let sendCut { harness.sendCut = { sendCut } }
    try harness.connect()
    let content = pattern(512)
    let memories = (0..<depth).map { _ in HostQueuePairMemory(content: content, pieces: [256, 256]) }
    for index in 0..<depth { #expect(harness.write(memories[index], token: UInt64(index))) }
    #expect(!harness.flush(), "all identifiers are taken")
    #expect(harness.freeSlotCount == 0)
    harness.send()
    var seen = Set<UInt16>()
    for pdu in harness.controller.received {
      if case .command(let entry, let data) = pdu {
        #expect(seen.insert(entry.commandIdentifier).inserted)
        #expect(data == content)
      }
    }
    #expect(seen.count == depth)
    var answers: [UInt8] = []
    for identifier in seen { answers += harness.controller.response(identifier) }
    #expect(harness.feed(answers))
    #expect(Set(harness.completions.map(\.token)) == Set(0..<UInt64(depth)))
    #expect(harness.completions.count == depth && harness.freeSlotCount == depth)
  }

  @Test("more data than one batch takes: the controller gets some before the digest of the rest is known")
  func muchData() throws {
    let limit = HostQueuePair.batchByteLimit
    let harness = HostQueuePairHarness(depth: 3, inCapsule: 0, dataDigest: true)
    try harness.connect()
    // One whose digest alone is left for the next batch; one in pieces, of which the end falls into the middle.
    let memories = [
      HostQueuePairMemory(content: pattern(limit - 24)), HostQueuePairMemory(content: pattern(limit)),
      HostQueuePairMemory(content: pattern(limit + 4096), pieces: [4096, limit]),
    ]
    for memory in memories { #expect(harness.write(memory)) }
    harness.send()
    let identifiers = harness.controller.received.compactMap { pdu -> UInt16? in
      if case .command(let entry, _) = pdu { entry.commandIdentifier } else { nil }
    }
    #expect(identifiers.count == memories.count)
    for (identifier, memory) in zip(identifiers, memories) {
      harness.feed(
        harness.controller.readyToTransfer(identifier, tag: identifier, offset: 0, length: memory.content.count))
    }
    var batchCount = 0
    while case let count = harness.buildSend(), count > 0 {
      #expect(count < limit + 256)
      batchCount += 1
      harness.sendPiece()
    }
    #expect(batchCount == 4, "three times the limit, and a little")
    for (identifier, memory) in zip(identifiers, memories) {
      #expect(harness.transferred(identifier, byteCount: memory.content.count) == memory.content)
    }
    harness.feed(identifiers.flatMap { harness.controller.response($0) })
    #expect(harness.completions.count == 3 && harness.freeSlotCount == 3)
  }

  @Test("commands that bring their data go in batches, too")
  func muchDataInCapsules() throws {
    let byteCount = 64 * 1024
    let depth = HostQueuePair.batchByteLimit / byteCount + 4
    let harness = HostQueuePairHarness(depth: depth, inCapsule: byteCount)
    try harness.connect()
    let memories = (0..<depth).map { _ in HostQueuePairMemory(content: pattern(byteCount)) }
    for memory in memories { #expect(harness.write(memory)) }
    var batches: [Int] = []
    while case let count = harness.buildSend(), count > 0 {
      batches.append(count)
      harness.sendPiece()
    }
    #expect(batches.count == 2)
    #expect((HostQueuePair.batchByteLimit..<HostQueuePair.batchByteLimit + 256).contains(batches[0]))
    let contents = harness.controller.received.compactMap { pdu -> [UInt8]? in
      if case .command(_, let data) = pdu { data } else { nil }
    }
    #expect(contents.count == depth && contents.allSatisfy { $0 == memories[0].content })
  }

  @Test("completions that nobody has taken yet hold back new commands: none is lost")
  func completionsAreNotLost() throws {
    let harness = HostQueuePairHarness(depth: 2)
    try harness.connect()
    var accepted = 0
    var position = 0
    for _ in 0..<10 {
      if harness.flush(token: UInt64(accepted)) { accepted += 1 }
      harness.sendWithoutTaking()
      while position < harness.controller.received.count {
        if case .command(let entry, _) = harness.controller.received[position] {
          _ = harness.feedWithoutTaking(harness.controller.response(entry.commandIdentifier))
        }
        position += 1
      }
    }
    harness.takeCompletions()
    #expect(harness.completions.map(\.token) == (0..<UInt64(accepted)).map { $0 })
  }

  @Test(
    "command identifiers are never FFFFh, and an answer to an earlier use of a slot is noticed", arguments: [1, 2, 3])
  func identifiers(depth: Int) throws {
    let harness = HostQueuePairHarness(depth: depth)
    try harness.connect()
    var previous: UInt16?
    for turn in 0..<70_000 {
      harness.flush(token: UInt64(turn))
      #expect(harness.buildSend() == 72)
      let base = harness.engine.sendVectors[0].base!
      let identifier = SubmissionQueueEntry(loading: UnsafeRawPointer(base) + 8).commandIdentifier
      if identifier == 0xFFFF || identifier == previous { Issue.record("identifier \(identifier) in turn \(turn)") }
      harness.engine.didSend(byteCount: 72)
      previous = identifier
      harness.controller.response(identifier).withUnsafeBytes { _ = harness.engine.receive($0) }
      if harness.engine.popCompletion()?.token != UInt64(turn) { Issue.record("no completion in turn \(turn)") }
    }
  }

  @Test("failing all commands gives each its end once")
  func failAll() throws {
    let harness = HostQueuePairHarness(depth: 4, inCapsule: 0)
    try harness.connect()
    let memory = HostQueuePairMemory(content: pattern(8192))
    harness.write(memory, token: 0)
    harness.flush(token: 1)
    harness.send()
    let identifier = try harness.controller.nextCommand().commandIdentifier
    harness.feed(harness.controller.readyToTransfer(identifier, tag: 1, offset: 0, length: 4096))
    harness.sendCut = { 50 }
    harness.sendPiece()
    harness.flush(token: 2)
    harness.engine.failAll()
    harness.takeCompletions()
    #expect(Set(harness.completions.map(\.token)) == [0, 1, 2])
    #expect(harness.completions.count == 3)
    #expect(harness.completions.first { $0.token == 2 }?.outcome == .notSent)
    #expect(harness.completions.first { $0.token == 1 }?.outcome == .connectionLost)
    #expect(harness.completions.first { $0.token == 0 }?.outcome == .connectionLost)
    #expect(!harness.flush() && !harness.wantsToSend && harness.outstandingCount == 0)
    harness.engine.failAll()
    #expect(!harness.hasCompletions)
  }

  @Test("expired commands are counted")
  func deadlines() throws {
    let harness = HostQueuePairHarness(depth: 4)
    try harness.connect()
    for deadline in [100, 200, UInt64.max] {
      _ = harness.engine.submit(
        .flush(namespaceIdentifier: 1), data: .none, direction: .none, context: nil, token: 0,
        deadlineNanoseconds: deadline)
    }
    #expect(harness.expiredCommandCount(99) == 0)
    #expect(harness.expiredCommandCount(100) == 1)
    #expect(harness.expiredCommandCount(1000) == 2)
  }

  @Test("an expired command is handed out once, and counts when it expires again")
  func expiredCommands() throws {
    let harness = HostQueuePairHarness(depth: 4)
    try harness.connect()
    for deadline in [100, 200] as [UInt64] {
      _ = harness.engine.submit(
        .flush(namespaceIdentifier: 1), data: .none, direction: .none, context: nil, token: 0,
        deadlineNanoseconds: deadline)
    }
    // What has not left the host cannot be aborted.
    #expect(harness.takeExpiredCommand(150, extending: 50) == nil)
    harness.send()
    let first = harness.takeExpiredCommand(150, extending: 50)
    #expect(first != nil)
    #expect(harness.takeExpiredCommand(150, extending: 50) == nil && harness.expiredCommandCount(150) == 0)
    let second = harness.takeExpiredCommand(200, extending: 50)
    #expect(second != nil && second != first)
    #expect(harness.expiredCommandCount(200) == 0)
    #expect(harness.expiredCommandCount(201) == 1)
    #expect(harness.takeExpiredCommand(300, extending: 50) == nil && harness.expiredCommandCount(300) == 2)
  }
}
