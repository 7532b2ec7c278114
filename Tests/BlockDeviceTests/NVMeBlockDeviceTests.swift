import BlockDevice
import EmbeddedTarget
import Synchronization
import TestSupport
import Testing

/// The whole host over loopback against the embedded target.
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

  /// Nobody listens there, and it is tried for ever.
  @Test
  func `A task that waits for a controller can be cancelled, and the controller goes on`() async throws {
    let bed = try await TestBed(host: {
      $0.recovery = .standard
      $0.retriesFirstConnect = true
    })
    let controller = bed.controller
    let idle = Task { try await controller.ready() }
    let early = Task { await controller.wait(until: { _ in false }) }
    idle.cancel()
    early.cancel()
    await #expect(throws: ControllerError.cancelled) { try await idle.value }
    await early.value
    try await bed.target.removePort(bed.port.identifier)
    controller.connect()
    let waiting = Task { try await controller.ready() }
    let watching = Task { await controller.wait(until: { $0.condition == .ready }) }
    let patient = Task { try await controller.ready() }
    try await eventually { controller.snapshot.recovery.attemptCount > 0 }
    waiting.cancel()
    watching.cancel()
    await #expect(throws: ControllerError.cancelled) { try await waiting.value }
    await watching.value
    #expect(controller.condition == .connecting)
    var port = PortConfiguration(port: bed.port.port)
    port.identifier = bed.port.identifier
    try await bed.target.addPort(port)
    try await patient.value
    #expect(try await bed.end(openFaces: 0) == 0)
  }

  /// Once more than there are numbers for queues.
  @Test(arguments: [Int.min, 0, 70_000])
  func `Any number of queues may be wished for`(queueCount: Int) async throws {
    let bed = try await TestBed(host: { $0.queueCount = queueCount })
    let controller = try await bed.connect()
    #expect(controller.snapshot.queueCount >= 1)
    let device = try #require(controller.blockDevice(namespaceIdentifier: 1))
    _ = try await device.read(at: 0, blockCount: 1)
    #expect(try await bed.end() == 0)
  }

  @Test
  func `Where to connect from is an address, or an error that says so`() async throws {
    var options = TCPTransportOptions()
    options.sourceAddress = "127.0.0.9"
    let bed = try await TestBed(options: options)
    _ = try await bed.connect()
    #expect(try await bed.end(openFaces: 0) == 0)
    options.sourceAddress = "lo"
    let other = try await TestBed(options: options)
    let error = await #expect(throws: ControllerError.self) { _ = try await other.connect() }
    #expect("\(error!)".contains("the address to connect from is \"lo\", which is not numeric"))
    #expect(try await other.end(openFaces: 0) == 0)
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
  func `Namespaces that come, grow and go at run time are followed`() async throws {
    let bed = try await TestBed()
    let controller = try await bed.connect()
    let device = try #require(controller.blockDevice(namespaceIdentifier: 1))
    try await bed.target.addNamespace(9, .memory(byteCount: 1 << 20, blockByteCount: 4096), to: TestBed.nqn)
    try await eventually { controller.blockDevice(namespaceIdentifier: 9) != nil }
    let added = try #require(controller.blockDevice(namespaceIdentifier: 9))
    try await added.write(at: 0, pattern(4096, seed: 1))

    let before = device.geometry.blockCount
    try await bed.target.resizeNamespace(1, of: TestBed.nqn, byteCount: before * 512 * 2)
    try await eventually { device.geometry.blockCount == before * 2 }
    try await device.write(at: before, pattern(512, seed: 2))

    try await bed.target.removeNamespace(9, from: TestBed.nqn)
    try await eventually { added.isGone }
    #expect(controller.blockDevice(namespaceIdentifier: 9) == nil)
    // Its controller's connection is up all the while.
    let gone = await #expect(throws: BlockError.self) { _ = try await added.read(at: 0, blockCount: 1) }
    #expect(gone?.cause == .refused(.closed))
    _ = try await device.read(at: 0, blockCount: 1)
    #expect(try await bed.end() == 0)
  }

  @Test
  func `What has become another namespace meanwhile is told before a queue can be used`() async throws {
    let bed = try await TestBed()
    let controller = try await bed.connect()
    let device = try #require(controller.blockDevice(namespaceIdentifier: 1))
    let told = Mutex<[Bool]>([])
    _ = controller.addObserver { [unowned controller] notice in
      // The home reactor is the queue's own.
      guard case .namespacesChanged = notice else { return }
      told.withLock { $0.append(controller.ioQueues.contains { $0.queuePair != nil }) }
    }
    await controller.disconnect()
    try await bed.target.removeNamespace(1, from: TestBed.nqn)
    // The same identifiers, blocks of another size.
    try await bed.target.addNamespace(1, .memory(byteCount: 1 << 20, blockByteCount: 4096), to: TestBed.nqn)
    _ = try await bed.connect()
    #expect(told.withLock { $0 } == [false])
    #expect(device.isGone && device.geometry.blockByteCount == 512)
    await #expect(throws: BlockError.self) { try await device.write(at: 0, pattern(512, seed: 2)) }
    let other = try #require(controller.blockDevice(namespaceIdentifier: 1))
    #expect(try await other.read(at: 0, blockCount: 1) == [UInt8](repeating: 0, count: 4096))
    #expect(try await bed.end() == 0)
  }

  @Test
  func `A reset makes a new association, and the device goes on`() async throws {
    let bed = try await TestBed()
    let controller = try await bed.connect()
    let device = try #require(controller.blockDevice(namespaceIdentifier: 1))
    let bytes = pattern(4096, seed: 8)
    try await device.write(at: 0, bytes)
    try await controller.reset()
    #expect(try await device.read(at: 0, blockCount: 8) == bytes)
    #expect(try await bed.end() == 0)
  }

  @Test
  func `A lost connection fails what is outstanding as unknown, and what comes later as not sent`() async throws {
    let bed = try await TestBed()
    let controller = try await bed.connect()
    let device = try #require(controller.blockDevice(namespaceIdentifier: 1))
    let fault = try await bed.target.addFault(FaultRule(.ioCommand(opcode: 0x01), .neverAnswer))
    let write = Task { try await device.write(at: 0, pattern(512, seed: 1)) }
    try await eventually { try await bed.target.faultCount(fault) == 1 }
    _ = try await bed.target.closeConnections(reset: true)
    let error = await #expect(throws: BlockError.self) { try await write.value }
    #expect(error?.isOutcomeUnknown == true)
    try await eventually { if case .closed = controller.condition { true } else { false } }
    let later = await #expect(throws: BlockError.self) { try await device.write(at: 0, pattern(512, seed: 1)) }
    #expect(later?.cause == .failed(.notSent, .commandAbortedByHost))
    #expect(try await bed.end() == 0)
  }

  @Test
  func `Commands that a lost connection costs say what it was lost of`() async throws {
    let bed = try await TestBed()
    func error(_ body: () async throws -> AdminReply) async throws -> ControllerError? {
      await #expect(throws: ControllerError.self) { _ = try await body() }
    }
    func isTransport(_ error: ControllerError?, _ queue: UInt16) -> Bool {
      if case .transport(queue, let error)? = error { error.message.contains("127.0.0.1") } else { false }
    }
    let identify = SubmissionQueueEntry.identify(.controller)
    let early = try await error { try await bed.controller.admin(identify, dataInByteCount: 4096) }
    #expect(early == .disconnected)
    let controller = try await bed.connect()
    let adminFault = try await bed.target.addFault(FaultRule(.adminCommand(opcode: 0x06), .neverAnswer))
    let ioFault = try await bed.target.addFault(FaultRule(.ioCommand(opcode: 0x00), .neverAnswer))
    let admin = Task { try await controller.admin(identify, dataInByteCount: 4096) }
    let io = Task { try await controller.io(.flush(namespaceIdentifier: 1)) }
    try await eventually { try await bed.target.faultCount(adminFault) == 1 }
    try await eventually { try await bed.target.faultCount(ioFault) == 1 }
    _ = try await bed.target.closeConnections(reset: true)
    // Of whichever of the two queues the host has heard first.
    let lost = try await error { try await admin.value }
    #expect(isTransport(lost, 0) || isTransport(lost, 1), "\(String(describing: lost))")
    let lostIO = try await error { try await io.value }
    #expect(isTransport(lostIO, 0) || isTransport(lostIO, 1), "\(String(describing: lostIO))")
    try await eventually { if case .closed = controller.condition { true } else { false } }
    guard case .closed(let reason?) = controller.condition else { return }
    #expect(try await error { try await controller.admin(identify, dataInByteCount: 4096) } == reason)
    #expect(try await error { try await controller.io(.flush(namespaceIdentifier: 1)) } == reason)
    #expect(try await bed.end(openFaces: 0) == 0)
  }

  @Test
  func `A command whose data cannot be is not sent, and says why`() async throws {
    let bed = try await TestBed()
    let controller = try await bed.connect()
    let cases: [([UInt8], Int, String)] = [
      ([1], 1, "data to send and data to read"), ([], -1, "-1 bytes"), ([], 1 << 33, "8589934592 bytes"),
    ]
    for (dataOut, dataInByteCount, text) in cases {
      let identify = SubmissionQueueEntry.identify(.controller)
      let admin = await #expect(throws: ControllerError.self) {
        _ = try await controller.admin(identify, dataOut: dataOut, dataInByteCount: dataInByteCount)
      }
      let io = await #expect(throws: ControllerError.self) {
        _ = try await controller.io(.flush(namespaceIdentifier: 1), dataOut: dataOut, dataInByteCount: dataInByteCount)
      }
      #expect(admin == io)
      #expect("\(admin!)".contains("was not sent: it has \(text)"))
    }
    #expect(try await bed.end(openFaces: 0) == 0)
  }

  @Test
  func `A keep alive that is not answered is a lost controller`() async throws {
    let bed = try await TestBed(host: { $0.keepAliveTimeoutMilliseconds = 300 })
    let controller = try await bed.connect()
    _ = try await bed.target.addFault(FaultRule(.adminCommand(opcode: 0x18), .neverAnswer))
    try await eventually { if case .closed = controller.condition { true } else { false } }
    #expect(controller.condition == .closed(.keepAliveTimeout(milliseconds: 300)))
    #expect(try await bed.end(openFaces: 0) == 0)
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
  func `An I/O command that is never answered ends the connection after its time`() async throws {
    let bed = try await TestBed(host: { $0.ioTimeoutMilliseconds = 200 })
    let controller = try await bed.connect()
    let device = try #require(controller.blockDevice(namespaceIdentifier: 1))
    _ = try await bed.target.addFault(FaultRule(.ioCommand(opcode: 0x02), .neverAnswer))
    let error = await #expect(throws: BlockError.self) { _ = try await device.read(at: 0, blockCount: 8) }
    #expect(error?.isOutcomeUnknown == true)
    try await eventually { if case .closed = controller.condition { true } else { false } }
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
}

extension NVMeBlockDeviceTests {
  @Test
  func `A reactor that ends with everything on it lets nobody wait`() async throws {
    let bed = try await TestBed()
    let controller = try await bed.connect()
    let device = try #require(controller.blockDevice(namespaceIdentifier: 1))
    let ioFault = try await bed.target.addFault(FaultRule(.ioCommand(opcode: 0x01), .neverAnswer))
    let adminFault = try await bed.target.addFault(FaultRule(.adminCommand(opcode: 0x06), .neverAnswer))
    let write = Task { try await device.write(at: 0, pattern(512, seed: 1)) }
    let admin = Task { try await controller.admin(.identify(.controller), dataInByteCount: 4096) }
    try await eventually { try await bed.target.faultCount(ioFault) == 1 }
    try await eventually { try await bed.target.faultCount(adminFault) == 1 }
    bed.thread.stop()
    let error = await #expect(throws: BlockError.self) { try await write.value }
    #expect(error?.isOutcomeUnknown == true)
    await #expect(throws: ControllerError.self) { try await admin.value }
    guard case .closed = controller.condition else {
      Issue.record("the controller is \(controller.condition)")
      return
    }
    let later = await #expect(throws: BlockError.self) { try await device.write(at: 0, pattern(512, seed: 1)) }
    #expect(later?.cause == .refused(.closed))
    controller.connect()
    // Not as if somebody had disconnected it.
    guard case .closed(.transport(_, let gone)?) = controller.condition else {
      Issue.record("the controller is \(controller.condition)")
      return
    }
    #expect(gone.kind == .local && gone.message.contains("\(ReactorGone())"))
    await bed.target.stop()
  }
}

extension NVMeBlockDeviceTests {
  private final class Weakly: Sendable {
    weak let controller: Controller?
    init(_ controller: Controller) { self.controller = controller }
  }

  /// It was told before there was the device.
  @Test
  func `A device of a controller that is gone is gone from the beginning`() async throws {
    let bed = try await TestBed()
    let controller = try await bed.connect()
    await controller.delete()
    for device in controller.blockDevices() {
      #expect(device.isGone)
      let error = await #expect(throws: BlockError.self) { _ = try await device.read(at: 0, blockCount: 1) }
      #expect(error?.cause == .refused(.closed))
    }
    #expect(controller.blockDevices().count == 1)
    #expect(try await bed.end(openFaces: 0) == 0)
  }

  /// With all that is its reactor's, the descriptor that wakes it as well.
  @Test
  func `A controller that is connected when its reactor ends is kept by nobody`() async throws {
    let bed = try await TestBed()
    func use() async throws -> Weakly {
      let thread = try ReactorThread()
      let controller = Controller(
        transport: bed.controller.transport, configuration: bed.controller.configuration, home: thread.handle)
      controller.connect()
      try await controller.ready()
      let device = try #require(controller.blockDevice(namespaceIdentifier: 1))
      _ = try await device.read(at: 0, blockCount: 1)
      thread.stop()
      return Weakly(controller)
    }
    let weakly = try await use()
    try await eventually { weakly.controller == nil }
    #expect(try await bed.end(openFaces: 0) == 0)
  }

  @Test
  func `A namespace that goes while requests are outstanding ends every one of them`() async throws {
    let bed = try await TestBed(namespaces: [1: .memory(byteCount: 1 << 20), 2: .memory(byteCount: 1 << 20)])
    let controller = try await bed.connect()
    let device = try #require(controller.blockDevice(namespaceIdentifier: 2))
    let readers = (0..<8).map { index in
      Task {
        var failures = 0
        while failures < 3 {
          do { _ = try await device.read(at: UInt64(index), blockCount: 1) } catch { failures += 1 }
        }
      }
    }
    try await Task.sleep(for: .milliseconds(50))
    try await bed.target.removeNamespace(2, from: TestBed.nqn)
    for reader in readers { await reader.value }
    try await eventually { device.isGone }
    #expect(controller.condition == .ready)
    #expect(try await bed.end(openFaces: 0) == 0)
  }
}
