import BlockDevice
import EmbeddedTarget
import Glibc
import NVMeTCPProtocol
import TestSupport
import Testing

@Suite("Data over loopback")
struct DataTests {
  struct Case: Sendable, CustomTestStringConvertible {
    var name: String
    var namespace = NamespaceConfiguration.memory(byteCount: 8 << 20)
    var headerDigest = false
    var dataDigest = false
    var flowControl = false
    var target: @Sendable (inout TargetConfiguration) -> Void = { _ in }
    var testDescription: String { name }

    static let all: [Case] = [
      Case(name: "plain"),
      Case(name: "flow control", flowControl: true),
      Case(name: "header digest", headerDigest: true),
      Case(name: "data digest", dataDigest: true),
      Case(
        name: "both digests, 4096-byte blocks", namespace: .memory(byteCount: 8 << 20, blockByteCount: 4096),
        headerDigest: true, dataDigest: true),
      Case(name: "no in-capsule data", target: { $0.inCapsuleDataByteCount = 0 }),
      Case(name: "all writes in capsules", target: { $0.inCapsuleDataByteCount = 1 << 20 }),
      Case(
        name: "small R2Ts, small H2CData, aligned, digests", headerDigest: true, dataDigest: true,
        target: {
          $0.inCapsuleDataByteCount = 512
          $0.maximumH2CDataByteCount = 4096
          $0.maximumReadyToTransferByteCount = 12_288
          $0.controllerPDUDataAlignmentBytes = 128
        }),
      Case(
        name: "small C2HData", flowControl: true,
        target: { $0.maximumC2HDataByteCount = 4100 }),
      Case(
        name: "small C2HData, success flag, data digest", dataDigest: true,
        target: { $0.maximumC2HDataByteCount = 1000 }),
      Case(name: "no success flag", target: { $0.usesSuccessFlag = false }),
      Case(
        name: "MDTS 64 KiB, queues of 4",
        target: {
          $0.maximumDataTransferExponent = 4
          $0.maximumQueueEntries = 4
        }),
    ]
  }

  /// Many requests at once, each on blocks of its own; the model is what they have written.
  @Test("what is written is what is read", arguments: Case.all)
  func random(variant: Case) async throws {
    var configuration = TargetConfiguration()
    variant.target(&configuration)
    let fixture = try await TargetFixture.make(namespaces: [1: variant.namespace], target: configuration)
    let (controller, device) = try await fixture.connected(
      headerDigest: variant.headerDigest, dataDigest: variant.dataDigest
    ) {
      $0.disablesSubmissionQueueFlowControl = !variant.flowControl
    }
    let model = try await Self.exercise(device, lanes: 8, rounds: 12)
    let inside = try await fixture.target.readNamespace(
      1, of: TargetFixture.nqn, offset: 0, byteCount: model.count)
    #expect(isEqual(inside[...], model[...]))
    await controller.disconnect()
    await fixture.stop()
  }

  @Test("a file-backed namespace keeps its data on disk")
  func file() async throws {
    let path = "/tmp/nvmeof-target-test-\(UInt64.random(in: 0 ... .max)).img"
    let fixture = try await TargetFixture.make(
      namespaces: [1: NamespaceConfiguration(backing: .file(path: path, byteCount: 8 << 20))])
    let (controller, device) = try await fixture.connected()
    var model = try await Self.exercise(device, lanes: 4, rounds: 6)
    let head = pattern(8192 + 512, seed: 5)
    try await device.write(at: 0, head)
    model.replaceSubrange(0..<head.count, with: head)
    try await device.flush()
    try await device.compare(at: 0, Array(model.prefix(8192)))
    await #expect(throws: BlockError.self) { try await device.compare(at: 1, Array(model.prefix(8192))) }
    try await device.write(at: 3, pattern(512, seed: 77), options: .forceUnitAccess)
    try await device.writeZeroes(at: 16, blockCount: 16)
    try await device.discard(at: 64, blockCount: 8)
    #expect(isZero(try await device.read(at: 16, blockCount: 16)))
    #expect(isZero(try await device.read(at: 64, blockCount: 8)))
    await controller.disconnect()
    await fixture.stop()
    let file = try #require(fopen(path, "r"))
    var onDisk = [UInt8](repeating: 0, count: (8 << 20) + 1)
    #expect(fread(&onDisk, 1, onDisk.count, file) == 8 << 20)
    fclose(file)
    unlink(path)
    var expected = model
    expected.replaceSubrange(3 * 512..<4 * 512, with: pattern(512, seed: 77))
    expected.replaceSubrange(16 * 512..<32 * 512, with: [UInt8](repeating: 0, count: 16 * 512))
    expected.replaceSubrange(64 * 512..<72 * 512, with: [UInt8](repeating: 0, count: 8 * 512))
    #expect(isEqual(onDisk.dropLast(), expected[...]))
  }

  @Test("zeroes and discard on a file system that cannot zero a range otherwise; a file of another size is left alone")
  func fileWithoutZeroRange() async throws {
    let path = "/dev/shm/nvmeof-target-test-\(UInt64.random(in: 0 ... .max)).img"
    defer { unlink(path) }
    let fixture = try await TargetFixture.make(
      namespaces: [1: NamespaceConfiguration(backing: .file(path: path, byteCount: 8 << 20))])
    let (controller, device) = try await fixture.connected()
    for options in [[], .forceUnitAccess] as [BlockOptions] {
      try await device.write(at: 0, pattern(64 * 512, seed: 5))
      try await device.perform(BlockRequest(.writeZeroes, logicalBlockAddress: 1, blockCount: 62, options: options))
      #expect(isZero(try await device.read(at: 1, blockCount: 62)))
      #expect(try await device.read(at: 63, blockCount: 1) == Array(pattern(64 * 512, seed: 5).suffix(512)))
    }
    try await device.discard(at: 0, blockCount: 64)
    for byteCount in [4 << 20, 16 << 20] as [UInt64] {
      await #expect(throws: TargetError.self) {
        try await fixture.target.addNamespace(
          2, NamespaceConfiguration(backing: .file(path: path, byteCount: byteCount)), to: TargetFixture.nqn)
      }
    }
    var information = stat()
    #expect(stat(path, &information) == 0 && information.st_size == 8 << 20)
    try await fixture.target.resizeNamespace(1, of: TargetFixture.nqn, byteCount: 12 << 20)
    #expect(stat(path, &information) == 0 && information.st_size == 12 << 20)
    try await fixture.target.resizeNamespace(1, of: TargetFixture.nqn, byteCount: 4 << 20)
    #expect(stat(path, &information) == 0 && information.st_size == 12 << 20)
    await controller.disconnect()
    await fixture.stop()
  }

  @Test("memory namespaces: compare, zeroes, discard, verify, flush")
  func operations() async throws {
    let fixture = try await TargetFixture.make()
    let (controller, device) = try await fixture.connected()
    let data = pattern(1 << 20, seed: 3)
    try await device.write(at: 0, data)
    try await device.compare(at: 0, Array(data.prefix(65_536)))
    let mismatch = await #expect(throws: BlockError.self) {
      try await device.compare(at: 1, Array(data.prefix(65_536)))
    }
    #expect(mismatch?.status?.matches(.compareFailure) == true)
    try await device.writeZeroes(at: 3, blockCount: 1021)
    #expect(try await device.read(at: 0, blockCount: 3) == Array(data.prefix(1536)))
    #expect(isZero(try await device.read(at: 3, blockCount: 1021)))
    #expect(try await device.read(at: 1024, blockCount: 8) == Array(data[524_288..<528_384]))
    try await device.discard(at: 1024, blockCount: 1024)
    #expect(isZero(try await device.read(at: 1024, blockCount: 1024)))
    try await device.verify(at: 0, blockCount: 2048)
    try await device.flush()
    await controller.disconnect()
    await fixture.stop()
  }

  @Test("zeroes and discards are cut where the controller limits them, and their neighbours are unharmed")
  func commandSetLimits() async throws {
    var configuration = TargetConfiguration()
    configuration.writeZeroesSizeExponent = 1
    configuration.maximumDatasetManagementRangeBlockCount = 5
    let fixture = try await TargetFixture.make(target: configuration)
    // What the host library never sends is refused.
    let admin = try WireHost(fixture.port)
    let host = try WireHost(fixture.port)
    try host.becomeIO(controller: try admin.becomeAdmin())
    func zeroes(_ count: Int) -> SubmissionQueueEntry {
      .writeZeroes(namespaceIdentifier: 1, startingLBA: 0, blockCount: count)
    }
    #expect(try host.run(zeroes(16)).completion.status.isSuccess)
    #expect(try host.run(zeroes(17)).completion.status.matches(.commandSizeLimitExceeded))

    let controller = fixture.controller()
    controller.connect()
    try await controller.ready()
    let limits = try #require(controller.snapshot.commandSetLimits)
    #expect(limits.writeZeroesSizeLimit == 1 && limits.datasetManagementRangeSizeLimit == 5)
    let device = try #require(controller.blockDevice(namespaceIdentifier: 1))
    let data = pattern(1 << 20, seed: 4)
    func isUnharmed(beside range: Range<Int>) async throws -> Bool {
      let bytes = try await device.read(at: 0, blockCount: 2048)
      return isEqual(bytes[..<(range.lowerBound * 512)], data[..<(range.lowerBound * 512)])
        && isZero(Array(bytes[(range.lowerBound * 512)..<(range.upperBound * 512)]))
        && isEqual(bytes[(range.upperBound * 512)...], data[(range.upperBound * 512)...])
    }
    try await device.write(at: 0, data)
    try await device.writeZeroes(at: 3, blockCount: 1021)
    #expect(try await isUnharmed(beside: 3..<1024))
    try await device.write(at: 0, data)
    try await device.discard(at: 7, blockCount: 1021)
    #expect(try await isUnharmed(beside: 7..<1028))
    // Several at once, on a channel whose requests must take turns.
    try await device.write(at: 0, data)
    try await withThrowingTaskGroup(of: Void.self) { group in
      for part in 0..<16 {
        group.addTask { try await device.discard(at: UInt64(100 + 51 * part), blockCount: 51) }
      }
      try await group.waitForAll()
    }
    #expect(try await isUnharmed(beside: 100..<916))
    await controller.disconnect()
    await fixture.stop()
  }

  @Test("commands whose answers or data nobody moves take turns at memory, and all end")
  func boundedBuffers() async throws {
    let path = "/tmp/nvmeof-target-test-\(UInt64.random(in: 0 ... .max)).img"
    defer { unlink(path) }
    let backing = NamespaceConfiguration.Backing.file(path: path, byteCount: 64 << 20)
    let fixture = try await TargetFixture.make(
      namespaces: [1: NamespaceConfiguration(backing: backing), 2: .memory(byteCount: 64 << 20)])
    let admin = try WireHost(fixture.port)
    let host = try WireHost(fixture.port)
    try host.becomeIO(controller: try admin.becomeAdmin(), size: 511)
    let count = 400
    let before = try residentByteCount()
    for identifier in 0..<count {
      var read = SubmissionQueueEntry.read(namespaceIdentifier: 1, startingLBA: 0, blockCount: 2048)
      read.commandIdentifier = UInt16(identifier)
      read.sgl = .transport(length: 1 << 20)
      try host.send(host.capsule(read))
    }
    // It does something else meanwhile, and so must have got to all of them.
    for _ in 0..<50 {
      #expect(try admin.run(.keepAlive()).completion.status.isSuccess)
      try await Task.sleep(for: .milliseconds(10))
    }
    #expect(try residentByteCount() - before < 128 << 20)
    var ended: Set<UInt16> = []
    while ended.count < count {
      let pdu = try host.expect()
      guard pdu.type == .capsuleResponse else { continue }
      #expect(pdu.completion.status.isSuccess)
      ended.insert(pdu.completion.commandIdentifier)
    }
    // Compares: memory is asked for before the data comes.
    let zeroes = [UInt8](repeating: 0, count: 1 << 20)
    for identifier in 0..<100 {
      var compare = SubmissionQueueEntry.compare(namespaceIdentifier: 2, startingLBA: 0, blockCount: 2048)
      compare.commandIdentifier = UInt16(identifier)
      compare.sgl = .transport(length: 1 << 20)
      try host.send(host.capsule(compare))
    }
    ended = []
    while ended.count < 100 {
      let pdu = try host.expect()
      if pdu.type == .readyToTransfer {
        let ready = pdu.readyToTransfer
        try host.send(
          host.h2cData(ready.commandIdentifier, tag: ready.transferTag, offset: 0, zeroes, isLast: true))
      } else {
        #expect(pdu.completion.status.isSuccess)
        ended.insert(pdu.completion.commandIdentifier)
      }
    }
    await fixture.stop()
  }

  @Test("log pages that nobody fetches take turns at memory, and all come")
  func boundedLogPages() async throws {
    let fixture = try await TargetFixture.make()
    let host = try WireHost(fixture.port)
    try host.initialize()
    let connected = try host.run(WireHost.connectCommand(size: 1023), data: WireHost.connectData())
    try #require(connected.completion.status.isSuccess)
    let enabled = try host.run(.propertySet(.controllerConfiguration, value: 0x0046_0001))
    try #require(enabled.completion.status.isSuccess)
    let other = try WireHost(fixture.port)
    try other.becomeAdmin()
    let count = 256
    let before = try residentByteCount()
    for identifier in 0..<count {
      // The page has 512 bytes; the rest are zeroes.
      var command = SubmissionQueueEntry.getLogPage(.smartHealth, byteCount: 1 << 20)
      command.commandIdentifier = UInt16(identifier)
      command.sgl = .transport(length: 1 << 20)
      try host.send(host.capsule(command))
    }
    // It does something else meanwhile, and so must have got to all of them.
    for _ in 0..<50 {
      #expect(try other.run(.keepAlive()).completion.status.isSuccess)
      try await Task.sleep(for: .milliseconds(10))
    }
    #expect(try residentByteCount() - before < 64 << 20)
    var ended: Set<UInt16> = []
    var byteCount = 0
    while ended.count < count {
      let pdu = try host.expect()
      byteCount += pdu.data.count
      guard pdu.type == .capsuleResponse else { continue }
      #expect(pdu.completion.status.isSuccess)
      ended.insert(pdu.completion.commandIdentifier)
    }
    #expect(byteCount == count << 20)
    await fixture.stop()
  }

  /// Both sides of the comparison have to be held.
  @Test("a compare of the largest transfer", arguments: [false, true])
  func largestCompare(isFile: Bool) async throws {
    let path = "/tmp/nvmeof-target-test-\(UInt64.random(in: 0 ... .max)).img"
    defer { unlink(path) }
    let backing: NamespaceConfiguration.Backing =
      isFile ? .file(path: path, byteCount: 16 << 20) : .memory(byteCount: 16 << 20)
    var configuration = TargetConfiguration()
    configuration.maximumDataTransferExponent = 0
    let fixture = try await TargetFixture.make(
      namespaces: [1: NamespaceConfiguration(backing: backing)], target: configuration)
    // Our own host would split it.
    let admin = try WireHost(fixture.port)
    let host = try WireHost(fixture.port)
    try host.becomeIO(controller: try admin.becomeAdmin())
    var compare = SubmissionQueueEntry.compare(namespaceIdentifier: 1, startingLBA: 0, blockCount: 32_768)
    compare.sgl = .transport(length: 16 << 20)
    try host.send(host.capsule(compare))
    let zeroes = [UInt8](repeating: 0, count: 16 << 20)
    var pdu = try host.expect()
    while pdu.type == .readyToTransfer {
      let ready = pdu.readyToTransfer
      let end = ready.offset + ready.length
      var offset = ready.offset
      while offset < end {
        let next = min(offset + (1 << 20), end)
        try host.send(
          host.h2cData(
            ready.commandIdentifier, tag: ready.transferTag, offset: offset, Array(zeroes[Int(offset)..<Int(next)]),
            isLast: next == end))
        offset = next
      }
      pdu = try host.expect()
    }
    #expect(pdu.completion.status.isSuccess)
    await fixture.stop()
  }

  @Test("a null namespace reads as zeroes and forgets writes", arguments: [false, true])
  func null(digests: Bool) async throws {
    var configuration = TargetConfiguration()
    configuration.maximumDataTransferExponent = 10
    let fixture = try await TargetFixture.make(namespaces: [1: .null(byteCount: 1 << 40)], target: configuration)
    let (controller, device) = try await fixture.connected(headerDigest: digests, dataDigest: digests)
    try await device.write(at: 5, pattern(3 << 20, seed: 9))
    #expect(isZero(try await device.read(at: 5, blockCount: 6144)))
    try await device.compare(at: (1 << 31) - 8, [UInt8](repeating: 0, count: 4096))
    await #expect(throws: BlockError.self) { try await device.compare(at: 0, pattern(4096, seed: 1)) }
    await controller.disconnect()
    await fixture.stop()
  }

  @Test("a read-only namespace refuses to be changed")
  func readOnly() async throws {
    var namespace = NamespaceConfiguration.memory(byteCount: 1 << 20)
    namespace.isReadOnly = true
    let fixture = try await TargetFixture.make(namespaces: [1: namespace])
    let admin = try WireHost(fixture.port)
    let host = try WireHost(fixture.port)
    try host.becomeIO(controller: try admin.becomeAdmin())
    let write = SubmissionQueueEntry.write(namespaceIdentifier: 1, startingLBA: 0, blockCount: 1)
    let answer = try host.run(write, data: [UInt8](repeating: 1, count: 512))
    #expect(answer.completion.status.matches(.namespaceIsWriteProtected))
    await fixture.stop()
  }

  /// Writes and reads at random, several requests at once; returns what the device must hold.
  private static func exercise(_ device: NVMeBlockDevice, lanes: Int, rounds: Int) async throws -> [UInt8] {
    let blockByteCount = Int(device.geometry.blockByteCount)
    let laneBlocks = Int(device.geometry.blockCount) / lanes
    var model: [[UInt8]] = []
    try await withThrowingTaskGroup(of: (Int, [UInt8]).self) { group in
      for lane in 0..<lanes {
        group.addTask {
          var generator = SplitMix64(seed: UInt64(lane))
          var content = [UInt8](repeating: 0, count: laneBlocks * blockByteCount)
          let first = lane * laneBlocks
          for round in 0..<rounds {
            // Mostly small, now and then as large as the lane.
            let limit = round % 4 == 3 ? laneBlocks : min(laneBlocks, 40)
            let count = Int.random(in: 1...limit, using: &generator)
            let at = Int.random(in: 0...(laneBlocks - count), using: &generator)
            let bytes = pattern(count * blockByteCount, seed: UInt64(lane * 1000 + round))
            try await device.write(at: UInt64(first + at), bytes)
            content.replaceSubrange(at * blockByteCount..<(at + count) * blockByteCount, with: bytes)
            let readCount = Int.random(in: 1...limit, using: &generator)
            let readAt = Int.random(in: 0...(laneBlocks - readCount), using: &generator)
            let read = try await device.read(at: UInt64(first + readAt), blockCount: UInt32(readCount))
            let expected = content[readAt * blockByteCount..<(readAt + readCount) * blockByteCount]
            #expect(isEqual(read[...], expected), "lane \(lane), round \(round)")
          }
          return (lane, content)
        }
      }
      var parts = [[UInt8]](repeating: [], count: lanes)
      for try await (lane, content) in group { parts[lane] = content }
      model = parts
    }
    return model.reduce(into: []) { $0 += $1 }
  }
}
