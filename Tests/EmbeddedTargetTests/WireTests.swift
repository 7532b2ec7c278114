import BlockDevice
import EmbeddedTarget
import Glibc
import NVMeTCPProtocol
import TestSupport
import Testing

@Suite("Target on the wire")
struct WireTests {
  /// What a host does wrong, and the termination request it gets.
  struct Offence: Sendable, CustomTestStringConvertible {
    var name: String
    var status: FatalErrorStatus
    var information: UInt32
    /// On an I/O queue of 32 entries, with in-capsule data of 8192 bytes allowed.
    var commit: @Sendable (WireHost) throws -> Void
    var testDescription: String { name }

    init(
      _ name: String, _ status: FatalErrorStatus, fei: UInt32, _ commit: @escaping @Sendable (WireHost) throws -> Void
    ) {
      self.name = name
      self.status = status
      information = fei
      self.commit = commit
    }

    /// Asks to write 8 blocks by R2T and returns it.
    static func requested(_ host: WireHost) throws -> ReadyToTransferHeader {
      var write = SubmissionQueueEntry.write(namespaceIdentifier: 1, startingLBA: 0, blockCount: 8)
      write.commandIdentifier = 9
      write.sgl = .transport(length: 4096)
      try host.send(host.capsule(write))
      let pdu = try host.expect()
      guard pdu.type == .readyToTransfer else { throw WireHost.Failure(description: "no R2T") }
      return pdu.readyToTransfer
    }

    static let all: [Offence] = [
      Offence("unknown type", .invalidPDUHeaderField, fei: 0) { try $0.send([0x0A, 0, 72, 0, 72, 0, 0, 0]) },
      Offence("a controller's PDU", .invalidPDUHeaderField, fei: 0) { try $0.send([0x05, 0, 24, 0, 24, 0, 0, 0]) },
      Offence("a second ICReq", .pduSequenceError, fei: 0) {
        try $0.send(stored(128, ICRequest().store(to:)))
      },
      Offence("HLEN", .invalidPDUHeaderField, fei: 2) { try $0.send([0x04, 0, 64, 0, 72, 0, 0, 0]) },
      Offence("PLEN too short", .invalidPDUHeaderField, fei: 4) { try $0.send([0x04, 0, 72, 0, 1, 0, 0, 0]) },
      Offence("too much in the capsule", .limitExceeded, fei: 0) { try $0.send([0x04, 0, 72, 72, 255, 255, 255, 0]) },
      Offence("data for an unknown tag", .invalidPDUHeaderField, fei: 10) {
        try $0.send($0.h2cData(9, tag: 5, offset: 0, [UInt8](repeating: 0, count: 512), isLast: true))
      },
      Offence("data for another command", .invalidPDUHeaderField, fei: 8) {
        let request = try requested($0)
        try $0.send(
          $0.h2cData(10, tag: request.transferTag, offset: 0, [UInt8](repeating: 0, count: 4096), isLast: true))
      },
      Offence("data beyond the request", .dataTransferOutOfRange, fei: 0) {
        let request = try requested($0)
        try $0.send(
          $0.h2cData(9, tag: request.transferTag, offset: 0, [UInt8](repeating: 0, count: 4100), isLast: true))
      },
      Offence("data out of order", .pduSequenceError, fei: 0) {
        let request = try requested($0)
        try $0.send(
          $0.h2cData(9, tag: request.transferTag, offset: 512, [UInt8](repeating: 0, count: 512), isLast: false))
      },
      Offence("LAST_PDU too early", .pduSequenceError, fei: 0) {
        let request = try requested($0)
        try $0.send($0.h2cData(9, tag: request.transferTag, offset: 0, [UInt8](repeating: 0, count: 512), isLast: true))
      },
      Offence("LAST_PDU missing", .pduSequenceError, fei: 0) {
        let request = try requested($0)
        try $0.send(
          $0.h2cData(9, tag: request.transferTag, offset: 0, [UInt8](repeating: 0, count: 4096), isLast: false))
      },
      Offence("data sent twice", .invalidPDUHeaderField, fei: 10) {
        let request = try requested($0)
        let data = $0.h2cData(9, tag: request.transferTag, offset: 0, [UInt8](repeating: 0, count: 4096), isLast: true)
        try $0.send(data)
        guard try $0.expect().type == .capsuleResponse else { throw WireHost.Failure(description: "no response") }
        try $0.send(data)
      },
      Offence("more than MAXH2CDATA", .limitExceeded, fei: 0) {
        let request = try requested($0)
        try $0.send(
          $0.h2cData(9, tag: request.transferTag, offset: 0, [UInt8](repeating: 0, count: 8192), isLast: true))
      },
      Offence("more commands than the queue has entries", .pduSequenceError, fei: 0) { host in
        for identifier in 0..<40 {
          var write = SubmissionQueueEntry.write(namespaceIdentifier: 1, startingLBA: 0, blockCount: 8)
          write.commandIdentifier = UInt16(identifier)
          write.sgl = .transport(length: 4096)
          try host.send(host.capsule(write))
        }
      },
    ]
  }

  @Test("each offence ends in the right termination request, then in a closed connection", arguments: Offence.all)
  func offence(offence: Offence) async throws {
    var configuration = TargetConfiguration()
    configuration.maximumH2CDataByteCount = 4096 + 4
    configuration.terminationTimeoutMilliseconds = 50
    let fixture = try await TargetFixture.make(target: configuration)
    let admin = try WireHost(fixture.port)
    let host = try WireHost(fixture.port)
    try host.becomeIO(controller: try admin.becomeAdmin())
    try offence.commit(host)
    var pdu = try host.expect()
    while pdu.type == .readyToTransfer { pdu = try host.expect() }
    #expect(pdu.type == .controllerToHostTerminationRequest)
    #expect(pdu.termination.fatalErrorStatus == offence.status)
    #expect(pdu.termination.fatalErrorInformation == offence.information)
    #expect(try host.receive() == nil)
    // The association lives on.
    #expect(try admin.run(.keepAlive()).completion.status.isSuccess)
    await fixture.stop()
  }

  @Test("a command before ICReq is a sequence error")
  func commandFirst() async throws {
    let fixture = try await TargetFixture.make()
    let host = try WireHost(fixture.port)
    try host.send([0x04, 0, 72, 0, 72, 0, 0, 0])
    let pdu = try host.expect()
    #expect(pdu.type == .controllerToHostTerminationRequest)
    #expect(pdu.termination.fatalErrorStatus == .pduSequenceError)
    #expect(try host.receive() == nil)
    await fixture.stop()
  }

  @Test("a termination request is answered by the end alone")
  func termination() async throws {
    let fixture = try await TargetFixture.make()
    for bytes: [UInt8] in [
      [2, 0, 24, 0, 24, 0, 0, 0, 1, 0] + [UInt8](repeating: 0, count: 14),
      // Malformed ones, too.
      [2, 0, 24, 0, 200, 0, 0, 0],
    ] {
      let host = try WireHost(fixture.port)
      try host.initialize()
      try host.send(bytes)
      #expect(try host.receive() == nil)
    }
    await fixture.stop()
  }

  /// A Connect that is refused.
  struct Refusal: Sendable, CustomTestStringConvertible {
    var name: String
    var status: StatusField
    var result: UInt32
    var command = WireHost.connectCommand()
    var data = WireHost.connectData()
    var testDescription: String { name }

    static let all: [Refusal] = [
      Refusal(
        name: "unknown subsystem", status: .connectInvalidParameters, result: 1 << 16 | 256,
        data: WireHost.connectData(nqn: "nqn.2026-01.org.example:other")),
      Refusal(
        name: "host not allowed", status: .connectInvalidHost, result: 0,
        data: WireHost.connectData(host: "nqn.2026-01.org.example:stranger")),
      Refusal(
        name: "controller chosen by the host", status: .connectInvalidParameters, result: 1 << 16 | 16,
        data: WireHost.connectData(controller: 1)),
      Refusal(
        name: "no NQN", status: .connectInvalidParameters, result: 1 << 16 | 256, data: WireHost.connectData(nqn: "")),
      Refusal(
        name: "no host NQN", status: .connectInvalidParameters, result: 1 << 16 | 512,
        data: WireHost.connectData(host: "")),
      Refusal(
        name: "queue of one entry", status: .connectInvalidParameters, result: 44,
        command: WireHost.connectCommand(size: 0)),
      Refusal(
        name: "queue beyond MQES", status: .connectInvalidParameters, result: 44,
        command: WireHost.connectCommand(size: 1024)),
      Refusal(
        name: "record format 1", status: .connectIncompatibleFormat, result: 0,
        command: WireHost.connectCommand(recordFormat: 1)),
      Refusal(
        name: "I/O queue of an unknown controller", status: .connectInvalidParameters, result: 1 << 16 | 16,
        command: WireHost.connectCommand(queue: 1), data: WireHost.connectData(controller: 77)),
    ]
  }

  @Test("Connect is refused with status and parameter offset", arguments: Refusal.all)
  func refusal(refusal: Refusal) async throws {
    let fixture = try await TargetFixture.make()
    try await fixture.target.setAllowedHosts(["nqn.2026-01.org.example:wire"], of: TargetFixture.nqn)
    let host = try WireHost(fixture.port)
    try host.initialize()
    let answer = try host.run(refusal.command, data: refusal.data)
    #expect(answer.completion.status.matches(refusal.status))
    #expect(answer.completion.status.doNotRetry)
    #expect(answer.completion.dword0 == refusal.result)
    // It may try again on the same connection.
    let again = try host.run(WireHost.connectCommand(), identifier: 2, data: WireHost.connectData())
    #expect(again.completion.status.isSuccess)
    await fixture.stop()
  }

  @Test("a Connect whose data comes when another one has connected is out of sequence, and leaves no controller behind")
  func connectTwice() async throws {
    var configuration = TargetConfiguration()
    configuration.maximumControllers = 2
    let fixture = try await TargetFixture.make(target: configuration)
    do {
      let host = try WireHost(fixture.port)
      try host.initialize()
      var slow = WireHost.connectCommand()
      slow.commandIdentifier = 7
      slow.sgl = .transport(length: 1024)
      try host.send(host.capsule(slow))
      let ready = try host.expect().readyToTransfer
      #expect(try host.run(WireHost.connectCommand(), data: WireHost.connectData()).completion.status.isSuccess)
      try host.send(host.h2cData(7, tag: ready.transferTag, offset: 0, WireHost.connectData(), isLast: true))
      let refused = try host.expect().completion
      #expect(refused.commandIdentifier == 7 && refused.status.typeAndCode == .commandSequenceError)
    }
    // Both places are free as soon as the target has seen its connection end.
    var hosts: [WireHost] = []
    try await eventually {
      let host = try WireHost(fixture.port)
      try host.initialize()
      if try host.run(WireHost.connectCommand(), data: WireHost.connectData()).completion.status.isSuccess {
        hosts.append(host)
      }
      return hosts.count == 2
    }
    await fixture.stop()
  }

  @Test("Dataset Management takes more data than its ranges fill, up to the whole structure", arguments: [false, true])
  func datasetManagementData(inCapsule: Bool) async throws {
    let fixture = try await TargetFixture.make()
    let admin = try WireHost(fixture.port)
    let host = try WireHost(fixture.port)
    try host.becomeIO(controller: try admin.becomeAdmin())
    // Two ranges that count, and behind them what is out of range.
    let encoded =
      DatasetManagementRange.encode([
        DatasetManagementRange(startingLBA: 1, blockCount: 1), DatasetManagementRange(startingLBA: 3, blockCount: 1),
      ]) + [UInt8](repeating: 0xFF, count: 4096)
    for (byteCount, isTaken) in [(32, true), (48, true), (4096, true), (16, false), (4112, false)] {
      try await fixture.target.writeNamespace(
        1, of: TargetFixture.nqn, offset: 0, bytes: [UInt8](repeating: 0x5A, count: 5 * 512))
      var command = SubmissionQueueEntry.datasetManagement(namespaceIdentifier: 1, rangeCount: 2, deallocate: true)
      command.commandIdentifier = 4
      let data = Array(encoded.prefix(byteCount))
      let length = UInt32(byteCount)
      command.sgl = inCapsule ? .inCapsule(length: length) : .transport(length: length)
      try host.send(host.capsule(command, data: inCapsule ? data : []))
      var pdu = try host.expect()
      if pdu.type == .readyToTransfer {
        let ready = pdu.readyToTransfer
        #expect(ready.length == length)
        try host.send(host.h2cData(4, tag: ready.transferTag, offset: 0, data, isLast: true))
        pdu = try host.expect()
      }
      #expect(pdu.completion.status.typeAndCode == (isTaken ? .success : .dataSGLLengthInvalid), "\(byteCount)")
      let blocks = try await fixture.target.readNamespace(1, of: TargetFixture.nqn, offset: 0, byteCount: 5 * 512)
      let first = (0..<5).map { blocks[512 * $0] }
      #expect(first == (isTaken ? [0x5A, 0, 0x5A, 0, 0x5A] : [UInt8](repeating: 0x5A, count: 5)))
    }
    await fixture.stop()
  }

  @Test("the volatile write cache cannot be switched off, and says so")
  func volatileWriteCache() async throws {
    // Also where no namespace has one yet: hosts ask once, and would never flush those that come.
    let fixture = try await TargetFixture.make(namespaces: [1: .memory(byteCount: 1 << 20)])
    let admin = try WireHost(fixture.port)
    try admin.becomeAdmin()
    for enabled in [false, true] {
      let value = VolatileWriteCache(enabled: enabled).rawValue
      let refused = try admin.run(.setFeatures(.volatileWriteCache, value: value)).completion
      #expect(refused.status.typeAndCode == .featureNotChangeable)
    }
    for select in [.current, .default] as [SubmissionQueueEntry.FeatureSelect] {
      #expect(try admin.run(.getFeatures(.volatileWriteCache, select: select)).completion.dword0 == 1)
    }
    // Bit 2: changeable.
    func capabilities(_ feature: FeatureIdentifier) throws -> UInt32 {
      try admin.run(.getFeatures(feature, select: .supportedCapabilities)).completion.dword0
    }
    #expect(try capabilities(.volatileWriteCache) == 0)
    #expect(try capabilities(.keepAliveTimer) == 1 << 2)
    await fixture.stop()
  }

  @Test("Identify promises no log page that is not there")
  func promisedLogPages() async throws {
    let fixture = try await TargetFixture.make()
    let admin = try WireHost(fixture.port)
    try admin.becomeAdmin()
    var identify = SubmissionQueueEntry.identify(.controller)
    identify.sgl = .transport(length: 4096)
    let attributes = try admin.run(identify).data[261]
    // LPA bit 1: 05h; bit 5: 00h, 12h and 13h (NVMe Base 2.1, figure 312).
    for (bit, pages) in [1: [5], 5: [0, 0x12, 0x13]] as [Int: [UInt8]] where attributes >> UInt8(bit) & 1 == 1 {
      for page in pages {
        var command = SubmissionQueueEntry.getLogPage(LogPageIdentifier(rawValue: page), byteCount: 512)
        command.sgl = .transport(length: 512)
        #expect(try admin.run(command).completion.status.isSuccess, "log page \(page)")
      }
    }
    await fixture.stop()
  }

  @Test("I/O queues are bound to their host, their controller and their identifier")
  func queueBinding() async throws {
    let fixture = try await TargetFixture.make()
    let admin = try WireHost(fixture.port)
    let controller = try admin.becomeAdmin()
    var queues: UInt32 = 0
    let granted = try admin.run(.setFeatures(.numberOfQueues, value: 1 | 1 << 16))
    queues = granted.completion.dword0
    #expect(queues == 1 | 1 << 16)

    let host = try WireHost(fixture.port)
    try host.initialize()
    let stranger = try host.run(
      WireHost.connectCommand(queue: 1), data: WireHost.connectData(host: "nqn.other", controller: controller))
    #expect(stranger.completion.status.matches(.connectInvalidParameters))
    let third = try host.run(WireHost.connectCommand(queue: 3), data: WireHost.connectData(controller: controller))
    #expect(third.completion.status.matches(.connectInvalidParameters))
    #expect(third.completion.dword0 == 42)
    let second = try host.run(WireHost.connectCommand(queue: 2), data: WireHost.connectData(controller: controller))
    #expect(second.completion.status.isSuccess)
    let double = try WireHost(fixture.port)
    try double.initialize()
    let taken = try double.run(WireHost.connectCommand(queue: 2), data: WireHost.connectData(controller: controller))
    #expect(taken.completion.status.matches(.commandSequenceError))
    // Disconnect frees the identifier and closes the connection.
    #expect(try host.run(.fabricsDisconnect(), identifier: 5).completion.status.isSuccess)
    #expect(try host.receive() == nil)
    let anew = try double.run(WireHost.connectCommand(queue: 2), data: WireHost.connectData(controller: controller))
    #expect(anew.completion.status.isSuccess)
    // CC.EN cleared: the I/O queue goes, the admin queue stays.
    #expect(try admin.run(.propertySet(.controllerConfiguration, value: 0)).completion.status.isSuccess)
    #expect(try double.receive() == nil)
    #expect(try admin.run(.propertyGet(.controllerStatus)).completion.result == 0)
    await fixture.stop()
  }

  @Test("commands out of place get the status the specification names")
  func statuses() async throws {
    let fixture = try await TargetFixture.make()
    let admin = try WireHost(fixture.port)
    try admin.initialize()
    func status(_ host: WireHost, _ command: SubmissionQueueEntry, data: [UInt8] = []) throws -> StatusField {
      try host.run(command, data: data).completion.status.typeAndCode
    }
    #expect(try status(admin, .keepAlive()) == .commandSequenceError)
    #expect(try status(admin, .propertyGet(.version)) == .commandSequenceError)
    #expect(try status(admin, WireHost.connectCommand(), data: WireHost.connectData()) == .success)
    #expect(try status(admin, WireHost.connectCommand(), data: WireHost.connectData()) == .commandSequenceError)
    var identify = SubmissionQueueEntry(opcode: 0x06)
    identify.cdw10 = 1
    identify.sgl = .transport(length: 4096)
    #expect(try status(admin, identify) == .commandSequenceError)
    #expect(try status(admin, .propertySet(.controllerConfiguration, value: 0x0046_0001)) == .success)
    #expect(try status(admin, identify) == .success)
    identify.sgl = .transport(length: 4092)
    #expect(try status(admin, identify) == .dataSGLLengthInvalid)
    identify.sgl = .memory(address: 0x1000, length: 4096)
    #expect(try status(admin, identify) == .sglDescriptorTypeInvalid)
    identify.flags = 0
    #expect(try status(admin, identify) == .invalidFieldInCommand)
    #expect(try status(admin, SubmissionQueueEntry(opcode: 0x80)) == .invalidCommandOpcode)
    #expect(try status(admin, .fabricsDisconnect()) == .invalidQueueType)
    #expect(
      try status(admin, .propertyGet(ControllerProperty(offset: 0x24, isEightBytes: false))) == .invalidFieldInCommand)
    #expect(try status(admin, .propertySet(.version, value: 1)) == .invalidFieldInCommand)
    #expect(try status(admin, .getFeatures(FeatureIdentifier(rawValue: 0x7D))) == .invalidFieldInCommand)

    let host = try WireHost(fixture.port)
    let controller = UInt16(1)
    try host.becomeIO(controller: controller)
    func write(_ block: UInt64, _ sgl: SGLDescriptor, namespace: UInt32 = 1) -> SubmissionQueueEntry {
      var command = SubmissionQueueEntry.write(namespaceIdentifier: namespace, startingLBA: block, blockCount: 1)
      command.sgl = sgl
      return command
    }
    let block = [UInt8](repeating: 7, count: 512)
    #expect(try status(host, write(0, .inCapsule(length: 512)), data: block) == .success)
    // The data of a refused command is read over.
    #expect(try status(host, write(131_072, .inCapsule(length: 512)), data: block) == .lbaOutOfRange)
    #expect(try status(host, write(.max, .inCapsule(length: 512)), data: block) == .lbaOutOfRange)
    #expect(try status(host, write(0, .inCapsule(length: 512), namespace: 2), data: block) == .invalidNamespaceOrFormat)
    #expect(try status(host, write(0, .inCapsule(length: 512), namespace: 0), data: block) == .invalidNamespaceOrFormat)
    #expect(
      try status(host, write(0, .inCapsule(length: 512), namespace: 70_000), data: block) == .invalidNamespaceOrFormat)
    #expect(try status(host, write(0, .transport(length: 1024))) == .dataSGLLengthInvalid)
    #expect(try status(host, write(0, .bitBucket(length: 512))) == .sglDescriptorTypeInvalid)
    // An in-capsule descriptor, but nothing in the capsule; then one with an offset.
    #expect(try status(host, write(0, .inCapsule(length: 512))) == .dataSGLLengthInvalid)
    try host.send(host.capsule(write(0, .inCapsule(offset: 8, length: 512)), data: block))
    #expect(try host.expect().completion.status.matches(.sglOffsetInvalid))
    #expect(try status(host, SubmissionQueueEntry(opcode: 0x7A, namespaceIdentifier: 1)) == .invalidCommandOpcode)
    #expect(try status(host, write(0, .transport(length: 512)).fused(1)) == .invalidFieldInCommand)
    #expect(try status(host, .propertyGet(.version)) == .invalidFieldInCommand)
    var big = SubmissionQueueEntry.read(namespaceIdentifier: 1, startingLBA: 0, blockCount: 2049)
    big.sgl = .transport(length: 2049 * 512)
    #expect(try status(host, big) == .invalidFieldInCommand)
    await fixture.stop()
  }

  @Test("an identifier in use is a conflict, and free again afterwards")
  func commandIdentifierConflict() async throws {
    let fixture = try await TargetFixture.make()
    let admin = try WireHost(fixture.port)
    try admin.becomeAdmin()
    var event = SubmissionQueueEntry.asynchronousEventRequest()
    event.commandIdentifier = 500
    try admin.send(admin.capsule(event))
    #expect(try admin.run(.keepAlive(), identifier: 500).completion.status.matches(.commandIDConflict))
    #expect(try admin.run(.keepAlive(), identifier: 501).completion.status.isSuccess)
    // Abort ends the event request; two answers come, in either order.
    var abort = SubmissionQueueEntry.abort(commandIdentifier: 500, queueIdentifier: 0)
    abort.commandIdentifier = 502
    try admin.send(admin.capsule(abort))
    let answers = [try admin.expect().completion, try admin.expect().completion]
    #expect(answers.contains { $0.commandIdentifier == 500 && $0.status.matches(.commandAbortRequested) })
    #expect(answers.contains { $0.commandIdentifier == 502 && $0.status.isSuccess && $0.dword0 == 0 })
    // Nothing to abort any more.
    let second = try admin.run(.abort(commandIdentifier: 500, queueIdentifier: 0), identifier: 500)
    #expect(second.completion.dword0 == 1)
    await fixture.stop()
  }

  @Test("event requests beyond the limit are refused")
  func eventRequestLimit() async throws {
    let fixture = try await TargetFixture.make()
    let admin = try WireHost(fixture.port)
    try admin.becomeAdmin()
    for identifier: UInt16 in 100..<104 {
      var event = SubmissionQueueEntry.asynchronousEventRequest()
      event.commandIdentifier = identifier
      try admin.send(admin.capsule(event))
    }
    let fifth = try admin.run(.asynchronousEventRequest(), identifier: 104)
    #expect(fifth.completion.status.matches(.asynchronousEventRequestLimitExceeded))
    await fixture.stop()
  }

  @Test("submission queue heads advance round the queue, or say that nobody looks")
  func submissionQueueHead() async throws {
    let fixture = try await TargetFixture.make()
    let admin = try WireHost(fixture.port)
    try admin.initialize()
    let connected = try admin.run(WireHost.connectCommand(size: 3), data: WireHost.connectData())
    var heads = [connected.completion.submissionQueueHead]
    for _ in 0..<6 { heads.append(try admin.run(.propertyGet(.version)).completion.submissionQueueHead) }
    #expect(heads == [1, 2, 3, 0, 1, 2, 3])
    let free = try WireHost(fixture.port)
    try free.initialize()
    let unchecked = try free.run(WireHost.connectCommand(attributes: 4), data: WireHost.connectData())
    #expect(unchecked.completion.submissionQueueHead == 0xFFFF)
    await fixture.stop()
  }

  @Test("garbage of any kind ends the connection, not the target", arguments: 0..<16 as Range<UInt64>)
  func garbage(seed: UInt64) async throws {
    let fixture = try await TargetFixture.make()
    let admin = try WireHost(fixture.port)
    let controller = try admin.becomeAdmin()
    let host = try WireHost(fixture.port)
    if seed % 4 != 0 { try host.becomeIO(controller: controller) }
    var bytes = pattern(20_000, seed: seed)
    // Often a plausible beginning.
    if seed % 2 == 0 { bytes.replaceSubrange(0..<8, with: [4, 0, 72, 72, 255, 15, 0, 0]) }
    // The target may close while we are still sending.
    try? host.send(bytes)
    while (try? host.receive()) != nil {}
    #expect(try admin.run(.keepAlive()).completion.status.isSuccess)
    await fixture.stop()
  }
}
