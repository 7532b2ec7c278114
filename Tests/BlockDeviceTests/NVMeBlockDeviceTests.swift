import BlockDevice
import EmbeddedTarget
import Foundation
import TestSupport
import Testing

/// Requests, their data and their answers: the whole host over loopback against the embedded target.
@Suite(.timeLimit(.minutes(2)))
struct NVMeBlockDeviceTests {
  @Test(arguments: [(false, false), (true, false), (false, true), (true, true)])
  func `Data written is read back, whatever digests, sizes and block size`(
    headerDigest: Bool, dataDigest: Bool
  ) async throws {
    var options = TCPTransportOptions()
    options.headerDigest = headerDigest
    options.dataDigest = dataDigest
    let bed = try await TestBed(
      namespaces: [
        1: .memory(byteCount: 1 << 24, blockByteCount: 512), 2: .memory(byteCount: 1 << 24, blockByteCount: 4096),
      ], options: options)
    let controller = try await bed.connect()
    let devices = controller.blockDevices()
    #expect(devices.map(\.geometry.blockByteCount) == [512, 4096])
    for device in devices {
      let blockByteCount = Int(device.geometry.blockByteCount)
      for count in [1, 2, 15, 16, 17, 31, 64, 333, 1024] {
        let bytes = pattern(count * blockByteCount, seed: UInt64(count))
        try await device.write(at: 5, bytes)
        #expect(try await device.read(at: 5, blockCount: UInt32(count)) == bytes)
      }
    }
    #expect(try await bed.end(openFaces: 2) == 0)
  }

  @Test(arguments: [WaitPolicy.adaptive, .eventDriven], [16 << 10, nil] as [Int32?])
  func `More writes at once than one send takes, or the socket has room for, arrive whole`(
    waitPolicy: WaitPolicy, sendBufferByteCount: Int32?
  ) async throws {
    var options = TCPTransportOptions()
    options.socketSendBufferByteCount = sendBufferByteCount
    let bed = try await TestBed(options: options, waitPolicy: waitPolicy)
    let controller = try await bed.connect()
    let device = try #require(controller.blockDevice(namespaceIdentifier: 1))
    let bytes = pattern(600 * 4096, seed: 17)
    try await withThrowingTaskGroup(of: Void.self) { group in
      for place in 0..<600 {
        group.addTask { try await device.write(at: UInt64(place * 8), Array(bytes[place * 4096..<(place + 1) * 4096])) }
      }
      try await group.waitForAll()
    }
    #expect(try await bed.target.readNamespace(1, of: TestBed.nqn, offset: 0, byteCount: bytes.count) == bytes)
    #expect(try await bed.end() == 0)
  }

  @Test
  func `A request larger than MDTS is split, and every piece lands in its place`() async throws {
    // MDTS 2^1 pages = 8 KiB, boundary at 12 blocks of 512 bytes, R2Ts of 4 KiB, H2CData of 4 KiB.
    var namespace = NamespaceConfiguration.memory(byteCount: 1 << 22)
    namespace.optimalBoundaryBlocks = 12
    let bed = try await TestBed(
      namespaces: [1: namespace],
      target: {
        $0.maximumDataTransferExponent = 1
        $0.maximumH2CDataByteCount = 4096
        $0.maximumReadyToTransferByteCount = 4096
        $0.maximumC2HDataByteCount = 4096
        $0.inCapsuleDataByteCount = 2048
      })
    let controller = try await bed.connect()
    #expect(controller.snapshot.maximumTransferByteCount == 8192)
    let device = try #require(controller.blockDevice(namespaceIdentifier: 1))
    let bytes = pattern(1000 * 512, seed: 3)
    try await device.write(at: 7, bytes)
    #expect(try await device.read(at: 7, blockCount: 1000) == bytes)
    let onTarget = try await bed.target.readNamespace(1, of: TestBed.nqn, offset: 7 * 512, byteCount: bytes.count)
    #expect(onTarget == bytes)
    #expect(try await bed.end() == 0)
  }

  @Test
  func `Odd vectors are gathered and scattered`() async throws {
    let bed = try await TestBed(target: { $0.maximumDataTransferExponent = 2 })
    let controller = try await bed.connect()
    let device = try #require(controller.blockDevice(namespaceIdentifier: 1))
    let total = 64 * 512
    let memory = UnsafeMutableRawBufferPointer.allocate(byteCount: 2 * total + 4096, alignment: 64)
    defer { memory.deallocate() }
    let bytes = pattern(total, seed: 11)
    // Pieces of 1, 2, 3, … bytes with gaps between them, and one empty piece.
    var vectors: [IOVector] = [IOVector(base: nil, count: 0)]
    var used = 0
    var place = 0
    var size = 1
    while used < total {
      let count = min(size, total - used)
      vectors.append(IOVector(base: memory.baseAddress! + place, count: count))
      for index in 0..<count { memory[place + index] = bytes[used + index] }
      memory[place + count] = 0xEE
      used += count
      place += count + 1
      size += 1
    }
    let list = UnsafeMutableBufferPointer<IOVector>.allocate(capacity: vectors.count)
    defer { list.deallocate() }
    _ = list.initialize(from: vectors)
    try await device.perform(
      BlockRequest(.write, logicalBlockAddress: 3, blockCount: 64, vectors: UnsafeBufferPointer(list)))
    #expect(try await device.read(at: 3, blockCount: 64) == bytes)
    for vector in vectors { if let base = vector.base { memset0(base, vector.count) } }
    try await device.perform(
      BlockRequest(.read, logicalBlockAddress: 3, blockCount: 64, vectors: UnsafeBufferPointer(list)))
    var read: [UInt8] = []
    for vector in vectors {
      guard let base = vector.base else { continue }
      read.append(contentsOf: UnsafeRawBufferPointer(start: base, count: vector.count))
      // The gap behind each piece is untouched.
      #expect(base.load(fromByteOffset: vector.count, as: UInt8.self) == 0xEE)
    }
    #expect(read == bytes)
    #expect(try await bed.end() == 0)
  }

  private func memset0(_ base: UnsafeMutableRawPointer, _ count: Int) {
    base.initializeMemory(as: UInt8.self, repeating: 0, count: count)
  }

  @Test
  func `Compare, verify, write zeroes, discard and flush do what they say`() async throws {
    let bed = try await TestBed()
    let controller = try await bed.connect()
    let device = try #require(controller.blockDevice(namespaceIdentifier: 1))
    let bytes = pattern(16 * 512, seed: 5)
    try await device.write(at: 0, bytes, options: .forceUnitAccess)
    try await device.compare(at: 0, bytes)
    var other = bytes
    other[8000] ^= 1
    let mismatch = await #expect(throws: BlockError.self) { try await device.compare(at: 0, other) }
    #expect(mismatch?.cause == .failed(.compareMismatch, mismatch?.status ?? .success))
    #expect(mismatch?.status?.matches(.compareFailure) == true)
    try await device.verify(at: 0, blockCount: 16)
    try await device.writeZeroes(at: 4, blockCount: 4)
    var expected = bytes
    expected.replaceSubrange(4 * 512..<8 * 512, with: repeatElement(0, count: 4 * 512))
    #expect(try await device.read(at: 0, blockCount: 16) == expected)
    try await device.discard(at: 0, blockCount: 16)
    try await device.flush()
    #expect(try await bed.end() == 0)
  }

  @Test
  func `Zeroes deallocate blocks where they may`() async throws {
    let path = FileManager.default.temporaryDirectory.appending(path: "zeroes-\(UInt64.random(in: 0 ... .max))").path
    defer { try? FileManager.default.removeItem(atPath: path) }
    let bytes = pattern(1 << 20, seed: 6)
    try Data(bytes).write(to: URL(filePath: path))
    func allocatedByteCount() throws -> Int {
      var status = stat()
      try #require(stat(path, &status) == 0)
      return Int(status.st_blocks) * 512
    }
    let bed = try await TestBed(namespaces: [1: NamespaceConfiguration(backing: .file(path: path))])
    let controller = try await bed.connect()
    let device = try #require(controller.blockDevice(namespaceIdentifier: 1))
    #expect(device.namespace.deallocatesZeroes)
    for options in [[], .noHole] as [BlockOptions] {
      try await device.write(at: 0, bytes)
      try await device.flush()
      let before = try allocatedByteCount()
      try await device.perform(BlockRequest(.writeZeroes, logicalBlockAddress: 0, blockCount: 1024, options: options))
      #expect(try await device.read(at: 0, blockCount: 1024) == [UInt8](repeating: 0, count: 1 << 19))
      let after = try allocatedByteCount()
      let given = before - after
      #expect(options.contains(.noHole) ? given <= 0 : given >= 1 << 19)
    }
    #expect(try await bed.end() == 0)
  }

  @Test
  func `What cannot be done is refused before the wire`() async throws {
    let bed = try await TestBed()
    let controller = try await bed.connect()
    let device = try #require(controller.blockDevice(namespaceIdentifier: 1))
    let end = device.geometry.blockCount
    let memory = UnsafeMutableRawBufferPointer.allocate(byteCount: 4096, alignment: 64)
    defer { memory.deallocate() }
    let refusals: [(BlockRequest, BlockRefusal)] = [
      (BlockRequest(.read, logicalBlockAddress: end, blockCount: 8, buffer: memory), .outOfRange),
      (BlockRequest(.read, logicalBlockAddress: end - 7, blockCount: 8, buffer: memory), .outOfRange),
      (BlockRequest(.read, logicalBlockAddress: .max, blockCount: 8, buffer: memory), .outOfRange),
      (BlockRequest(.write, logicalBlockAddress: 0, blockCount: 0, buffer: memory), .zeroLength),
      (BlockRequest(.write, logicalBlockAddress: 0, blockCount: 7, buffer: memory), .lengthMismatch),
      (BlockRequest(.discard, logicalBlockAddress: end, blockCount: 1), .outOfRange),
    ]
    for (request, refusal) in refusals {
      let error = await #expect(throws: BlockError.self) { try await device.perform(request) }
      #expect(error?.cause == .refused(refusal))
    }
    let misaligned = await #expect(throws: BlockError.self) {
      try await device.write(at: 0, [UInt8](repeating: 0, count: 513))
    }
    #expect(misaligned?.cause == .refused(.misaligned))
    #expect(try await bed.end(openFaces: 0) == 0)
  }

  @Test
  func `A status of the controller comes back typed, with the blocks and advice`() async throws {
    let bed = try await TestBed()
    let controller = try await bed.connect()
    let device = try #require(controller.blockDevice(namespaceIdentifier: 1))
    _ = try await bed.target.addFault(

      FaultRule(
        .ioCommand(opcode: 0x02), .status(StatusField(rawValue: StatusField.unrecoveredReadError.rawValue | 0x4000))))
    let error = await #expect(throws: BlockError.self) { _ = try await device.read(at: 40, blockCount: 2) }
    #expect(error?.status?.matches(.unrecoveredReadError) == true)
    #expect(error?.logicalBlockAddress == 40)
    #expect(error?.blockCount == 2)
    #expect("\(error!)".contains("40…41"))
    #expect("\(error!)".contains("trying again is of no use"))
    #expect(try await bed.end() == 0)
  }

  @Test
  func `More requests than the queue holds wait, and each completes once`() async throws {
    let bed = try await TestBed(host: { $0.queueDepth = 4 })
    let controller = try await bed.connect()
    #expect(controller.snapshot.queueDepth == 4)
    let device = try #require(controller.blockDevice(namespaceIdentifier: 1))
    try await withThrowingTaskGroup(of: Void.self) { group in
      for index in 0..<200 {
        group.addTask {
          let bytes = pattern(8 * 512, seed: UInt64(index))
          try await device.write(at: UInt64(index) * 8, bytes)
          let back = try await device.read(at: UInt64(index) * 8, blockCount: 8)
          #expect(back == bytes)
        }
      }
      try await group.waitForAll()
    }
    #expect(try await bed.end() == 0)
  }

  @Test
  func `The submit and poll face says busy when it is full, and completes what it took`() async throws {
    let bed = try await TestBed(host: { $0.queueDepth = 8 })
    let controller = try await bed.connect()
    let device = try #require(controller.blockDevice(namespaceIdentifier: 1))
    let tokens = try await bed.thread.handle.perform { reactor in
      let channel = try device.openChannel(on: reactor, queueDepth: 16)
      let buffer = UnsafeMutableRawBufferPointer.allocate(byteCount: 512, alignment: 64)
      buffer.initializeMemory(as: UInt8.self, repeating: 1)
      for token in 0..<16 {
        let request = BlockRequest(
          .write, logicalBlockAddress: UInt64(token), blockCount: 1, buffer: buffer, token: UInt64(token))
        #expect(channel.submit(request) == .accepted)
      }
      #expect(channel.submit(BlockRequest(.flush)) == .busy)
      #expect(channel.submit(BlockRequest(.read, logicalBlockAddress: 0, blockCount: 0)) == .refused(.zeroLength))
      return ChannelBox(channel: channel, buffer: buffer)
    }
    let seen = try await collect(tokens, count: 16, on: bed.thread.handle)
    #expect(seen.sorted() == Array(0..<16))
    #expect(try await bed.end(openFaces: 0) == 0)
  }

  /// nil when there is one.
  private func reasonForNoChannel(_ device: NVMeBlockDevice, _ handle: ReactorHandle) async throws -> BlockRefusal? {
    try await handle.perform { reactor in
      do throws(BlockRefusal) {
        try device.openChannel(on: reactor, queueDepth: 1).close()
        return nil
      } catch { return error }
    }
  }

  @Test
  func `A reactor without a queue of the controller is told as that, a device that is gone as gone`() async throws {
    let bed = try await TestBed()
    let other = try ReactorThread()
    let controller = try await bed.connect()
    let device = try #require(controller.blockDevice(namespaceIdentifier: 1))
    #expect(try await reasonForNoChannel(device, bed.thread.handle) == nil)
    #expect(try await reasonForNoChannel(device, other.handle) == .noQueueOnReactor)
    try await bed.target.removeNamespace(1, from: TestBed.nqn)
    try await eventually { device.isGone }
    #expect(try await reasonForNoChannel(device, bed.thread.handle) == .closed)
    #expect(try await reasonForNoChannel(device, other.handle) == .closed)
    other.stop()
    #expect(try await bed.end(openFaces: 0) == 0)
  }

  /// Its requests would go to whatever namespace has the NSID by then.
  @Test
  func `A channel whose device nobody holds any more hears that the namespace is another one`() async throws {
    let bed = try await TestBed()
    let controller = try await bed.connect()
    func open() async throws -> ChannelBox {
      let device = try #require(controller.blockDevice(namespaceIdentifier: 1))
      return try await bed.thread.handle.perform { reactor in
        ChannelBox(
          channel: try device.openChannel(on: reactor, queueDepth: 4), buffer: .allocate(byteCount: 512, alignment: 8))
      }
    }
    let box = try await open()
    let first = try #require(controller.snapshot.namespaces[1])
    try await bed.target.removeNamespace(1, from: TestBed.nqn)
    var other = NamespaceConfiguration.memory(byteCount: 1 << 24)
    other.uuid = [UInt8](repeating: 0x42, count: 16)
    try await bed.target.addNamespace(1, other, to: TestBed.nqn)
    try await eventually { controller.snapshot.namespaces[1].map { !$0.hasSameIdentity(as: first) } ?? false }
    // In the order of the news: the channel's comes with that of the first.
    let submission = try await bed.thread.handle.perform { _ in
      box.channel.submit(BlockRequest(.write, logicalBlockAddress: 0, blockCount: 1, buffer: box.buffer))
    }
    #expect(submission == .refused(.closed))
    box.buffer.deallocate()
    #expect(try await bed.end(openFaces: 0) == 0)
  }

  private final class ChannelBox: @unchecked Sendable {
    let channel: BlockChannel
    let buffer: UnsafeMutableRawBufferPointer
    init(channel: BlockChannel, buffer: UnsafeMutableRawBufferPointer) {
      self.channel = channel
      self.buffer = buffer
    }
  }

  private func collect(_ box: ChannelBox, count: Int, on handle: ReactorHandle) async throws -> [UInt64] {
    var seen: [UInt64] = []
    while seen.count < count {
      seen += try await handle.perform { _ in
        let completions = UnsafeMutableBufferPointer<BlockCompletion>.allocate(capacity: 5)
        defer { completions.deallocate() }
        let polled = box.channel.poll(into: completions)
        for completion in completions.prefix(polled) { #expect(completion.isSuccess) }
        return completions.prefix(polled).map(\.token)
      }
    }
    try await handle.perform { _ in
      box.channel.close()
      box.buffer.deallocate()
    }
    return seen
  }

  @Test
  func `A data digest error fails the read, and the connection stays`() async throws {
    var options = TCPTransportOptions()
    options.dataDigest = true
    let bed = try await TestBed(options: options)
    let controller = try await bed.connect()
    let device = try #require(controller.blockDevice(namespaceIdentifier: 1))
    _ = try await bed.target.addFault(FaultRule(.ioCommand(opcode: 0x02), .corruptDataDigest, count: 1))
    let error = await #expect(throws: BlockError.self) { _ = try await device.read(at: 0, blockCount: 8) }
    #expect(error?.cause == .failed(.dataDigestError, .transientTransportError))
    _ = try await device.read(at: 0, blockCount: 8)
    #expect(controller.condition == .ready)
    #expect(try await bed.end() == 0)
  }

  @Test
  func `Several queues on several reactors carry one device`() async throws {
    let second = try ReactorThread()
    let bed = try await TestBed()
    var configuration = bed.controller.configuration
    configuration.queueCount = 3
    let controller = Controller(
      transport: bed.controller.transport, configuration: configuration, home: bed.thread.handle,
      queueReactors: [bed.thread.handle, second.handle])
    controller.connect()
    try await controller.ready()
    #expect(controller.snapshot.queueCount == 3)
    #expect(controller.ioQueues(on: bed.thread.handle).map(\.identifier) == [1, 3])
    #expect(controller.ioQueues(on: second.handle).map(\.identifier) == [2])
    let device = try #require(controller.blockDevice(namespaceIdentifier: 1))
    try await device.write(at: 0, pattern(4096, seed: 4))
    #expect(try await device.read(at: 0, blockCount: 8) == pattern(4096, seed: 4))
    await controller.disconnect()
    #expect(try await second.handle.perform { $0.sourceCount } == 0)
    second.stop()
    #expect(try await bed.end() == 0)
  }

  /// The queues are the controller's: each namespace for itself would give its first channel to the first of them.
  @Test
  func `Channels of all namespaces spread over a reactor's queues`() async throws {
    let bed = try await TestBed(
      namespaces: [1: .memory(byteCount: 1 << 20), 2: .memory(byteCount: 1 << 20)], host: { $0.queueCount = 3 })
    let controller = try await bed.connect()
    let devices = try [1, 2].map { try #require(controller.blockDevice(namespaceIdentifier: $0)) }
    let queues = controller.ioQueues(on: bed.thread.handle)
    let counts = try await bed.thread.handle.perform { reactor in
      var counts: [[Int]] = []
      var channels: [BlockChannel] = []
      for device in [0, 1, 0, 0, 1] {
        channels.append(try devices[device].openChannel(on: reactor, queueDepth: 4))
        counts.append(queues.map(\.userCount))
      }
      for channel in channels { channel.close() }
      return counts
    }
    #expect(counts == [[1, 0, 0], [1, 1, 0], [1, 1, 1], [2, 1, 1], [2, 2, 1]])
    try await eventually { try await bed.thread.handle.perform { _ in queues.map(\.userCount) } == [0, 0, 0] }
    #expect(try await bed.end(openFaces: 0) == 0)
  }
}
