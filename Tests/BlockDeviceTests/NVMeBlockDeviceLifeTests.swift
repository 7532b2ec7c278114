import BlockDevice
import EmbeddedTarget
import Glibc
import Synchronization
import TestSupport
import Testing

/// What becomes of a device and its controller: connected, reset, lost and ended, with namespaces that come and go.
@Suite(.timeLimit(.minutes(2)))
struct NVMeBlockDeviceLifeTests {
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

  @Test
  func `A priority that this process may not set is no connection, and says so`() async throws {
    var options = TCPTransportOptions()
    options.socketPriority = 7
    let bed = try await TestBed(options: options)
    let isDropped = try await bed.thread.handle.perform { _ in Self.dropNetworkCapabilities() }
    try #require(isDropped)
    let error = await #expect(throws: ControllerError.self) { _ = try await bed.connect() }
    let text = error.map { "\($0)" } ?? ""
    #expect(text.contains("setting the priority 7 (SO_PRIORITY, which takes CAP_NET_ADMIN outside of 0…6) failed"))
    #expect(try await bed.end(openFaces: 0) == 0)
    options.socketPriority = 6
    let other = try await TestBed(options: options)
    _ = try await other.thread.handle.perform { _ in Self.dropNetworkCapabilities() }
    _ = try await other.connect()
    #expect(try await other.end(openFaces: 0) == 0)
  }

  /// Takes CAP_NET_ADMIN and CAP_NET_RAW, which newer kernels take as well, from the calling thread, as if it were not
  /// root's. The C library has the calls, and no header.
  private static func dropNetworkCapabilities() -> Bool {
    typealias Call = @convention(c) (UnsafeMutableRawPointer, UnsafeMutableRawPointer) -> Int32
    guard let get = dlsym(nil, "capget"), let set = dlsym(nil, "capset") else { return false }
    // _LINUX_CAPABILITY_VERSION_3, this thread; effective, permitted and inheritable ones, twice.
    var header: (UInt32, Int32) = (0x2008_0522, 0)
    var data: (UInt32, UInt32, UInt32, UInt32, UInt32, UInt32) = (0, 0, 0, 0, 0, 0)
    guard unsafeBitCast(get, to: Call.self)(&header, &data) == 0 else { return false }
    data.0 &= ~(1 << 12 | 1 << 13)
    return unsafeBitCast(set, to: Call.self)(&header, &data) == 0
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

  /// What waits for room in the queue is as much the old namespace's as what has been sent.
  @Test
  func `A write that waits for room is not sent to the namespace that has taken its own one's place`() async throws {
    let bed = try await TestBed(host: { $0.queueDepth = 1 })
    let controller = try await bed.connect()
    let device = try #require(controller.blockDevice(namespaceIdentifier: 1))
    let fault = try await bed.target.addFault(
      FaultRule(.ioCommand(opcode: 0x01), .delay(nanoseconds: 3_000_000_000), count: 1))
    let first = Task { try await device.write(at: 0, pattern(512, seed: 1)) }
    try await eventually { try await bed.target.faultCount(fault) == 1 }
    let others = (1..<64 as Range<UInt64>).map { block in
      Task { try await device.write(at: block, pattern(512, seed: block)) }
    }
    try await bed.target.removeNamespace(1, from: TestBed.nqn)
    var other = NamespaceConfiguration.memory(byteCount: 1 << 24)
    other.uuid = [UInt8](repeating: 0x42, count: 16)
    try await bed.target.addNamespace(1, other, to: TestBed.nqn)
    try await eventually { device.isGone }
    for write in others { await #expect(throws: BlockError.self) { try await write.value } }
    // What became of the one that was sent is the old namespace's affair.
    _ = await first.result
    let blocks = try await bed.target.readNamespace(1, of: TestBed.nqn, offset: 512, byteCount: 63 * 512)
    #expect(blocks.allSatisfy { $0 == 0 })
    #expect(try await bed.end(openFaces: 0) == 0)
  }

  @Test
  func `A controller that is connected right after it was shut down is connected again`() async throws {
    let bed = try await TestBed()
    let controller = try await bed.connect()
    controller.shutdown()
    controller.connect()
    // Not of the association that is about to end.
    try await controller.ready()
    #expect(controller.snapshot.state == .enabled && controller.snapshot.association == 2)
    #expect(try await bed.end(openFaces: 0) == 0)
  }

  /// The end of the old association comes between the wish and its fulfilment.
  @Test
  func `A controller that is to be connected again is not closed for those who wait for it`() async throws {
    let bed = try await TestBed()
    let controller = try await bed.connect()
    let conditions = Mutex<[ControllerCondition]>([])
    _ = controller.addObserver { [unowned controller] notice in
      switch notice {
      case .associationEnded(1, _): controller.connect()
      case .closed: conditions.withLock { $0.append(controller.condition) }
      default: break
      }
    }
    controller.shutdown()
    try await eventually { controller.snapshot.association == 2 && controller.condition == .ready }
    #expect(conditions.withLock { $0 } == [.connecting])
    #expect(try await bed.end(openFaces: 0) == 0)
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
    // Silent altogether: a target that runs its own keep alive timer might end the connection before.
    _ = try await bed.target.addFault(FaultRule(.adminCommand(opcode: 0x18), .silence))
    try await eventually { if case .closed = controller.condition { true } else { false } }
    #expect(controller.condition == .closed(.keepAliveTimeout(milliseconds: 300)))
    #expect(try await bed.end(openFaces: 0) == 0)
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
