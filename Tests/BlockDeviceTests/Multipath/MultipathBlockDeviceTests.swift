import BlockDevice
import EmbeddedTarget
import Synchronization
import TestSupport
import Testing

/// The whole host over loopback against the embedded target, several paths to it.
@Suite(.timeLimit(.minutes(2)))
struct MultipathBlockDeviceTests {
  private final class Stop: Sendable { let flag = Atomic<Bool>(false) }

  /// Runs a verifying load while `disturb` does its worst; every request must succeed.
  private func underLoad(_ device: MultipathBlockDevice, _ disturb: () async throws -> Void) async throws {
    let stop = Stop()
    try await withThrowingTaskGroup(of: Int.self) { group in
      for worker in 0..<16 {
        group.addTask {
          var count = 0
          repeat {
            let bytes = pattern(4 * 512, seed: UInt64(worker * 1_000_000 + count))
            try await device.write(at: UInt64(worker * 8), bytes)
            let back = try await device.read(at: UInt64(worker * 8), blockCount: 4)
            #expect(back == bytes, "worker \(worker), round \(count)")
            count += 1
          } while !stop.flag.load(ordering: .relaxed)
          return count
        }
      }
      let result = await Result.of { try await disturb() }
      stop.flag.store(true, ordering: .relaxed)
      for try await count in group { #expect(count > 0) }
      try result.get()
    }
  }

  @Test func `A device with one path recovers from a killed connection`() async throws {
    let bed = try await MultipathBed(ports: 1)
    try await bed.attach()
    #expect(bed.device.geometry.blockCount == (1 << 22) / 512)
    try await underLoad(bed.device) {
      for round in 1...3 as ClosedRange<UInt64> {
        try await bed.target.closeConnections(reset: round % 2 == 0)
        try await eventually { bed.controllers[0].snapshot.recovery.reconnectCount >= round }
        try await Task.sleep(for: .milliseconds(20))
      }
    }
    let snapshot = bed.device.snapshot
    #expect(snapshot.paths.count == 1 && snapshot.paths[0].isCurrent && snapshot.paths[0].isConnected)
    #expect(snapshot.paths[0].recovery.lossCount >= 3 && snapshot.statistics.failureCount == 0)
    #expect(snapshot.statistics.heldCount == 0)
    #expect(try await bed.end() == 2)
  }

  @Test(arguments: [
    MultipathPolicy.Spread.activePassive, .activeActive(.roundRobin(minimumIO: 1)), .activeActive(.queueDepth),
    .activeActive(.latency),
  ])
  func `Requests go on over the other path while one is away, and over both again`(
    _ spread: MultipathPolicy.Spread
  ) async throws {
    var configuration = MultipathConfiguration()
    configuration.policy = try MultipathPolicy(spread)
    let bed = try await MultipathBed(multipath: configuration)
    try await bed.attach()
    let log = Mutex<[MultipathEvent]>([])
    let observer = bed.device.addObserver { event in log.withLock { $0.append(event) } }
    try await underLoad(bed.device) {
      let first = try #require(bed.device.snapshot.paths.first)
      try await bed.target.removePort(bed.ports[0].identifier)
      try await eventually { bed.device.snapshot.paths[0].state != .enabled }
      try await eventually { bed.device.snapshot.paths[1].isCurrent }
      try await Task.sleep(for: .milliseconds(100))
      var port = PortConfiguration(port: bed.ports[0].port)
      port.identifier = bed.ports[0].identifier
      try await bed.target.addPort(port)
      try await eventually { bed.device.snapshot.paths[0].isAccessible }
      try await eventually {
        log.withLock { $0.contains(.pathAvailable(first.identifier, isOptimized: true)) }
      }
    }
    bed.device.removeObserver(observer)
    #expect(log.withLock { $0.contains { if case .pathUnavailable(_, .lost) = $0 { true } else { false } } })
    #expect(bed.device.snapshot.statistics.failureCount == 0)
    #expect(try await bed.end() == 2)
  }

  @Test func `ANA states decide which path is used`() async throws {
    let bed = try await MultipathBed()
    try await bed.attach()
    let (one, two) = (bed.ports[0].identifier, bed.ports[1].identifier)
    try await underLoad(bed.device) {
      for (first, second, current) in [
        (ANAState.nonOptimized, ANAState.optimized, 1), (.optimized, .inaccessible, 0),
        (.inaccessible, .nonOptimized, 1),
        (.optimized, .optimized, 1), (.change, .optimized, 1), (.optimized, .persistentLoss, 0),
        (.optimized, .optimized, 0),
      ] {
        // The better one first, so that there is always one; and the other only when the device knows of it: each
        // controller tells of its own, and of two that become equally good the one that did so first stays.
        let states = [(one, first), (two, second)]
        for place in [current, 1 - current] {
          let (port, state) = states[place]
          try await bed.target.setANAState(state, group: 1, port: port)
          try await eventually {
            switch (state, bed.device.snapshot.paths[place].availability) {
            case (.optimized, .optimized), (.nonOptimized, .nonOptimized): true
            case (.optimized, _), (.nonOptimized, _): false
            case (_, let availability): !availability.isUsable
            }
          }
        }
        try await eventually { bed.device.snapshot.paths[current].isCurrent }
      }
    }
    #expect(bed.device.snapshot.statistics.failureCount == 0)
    #expect(try await bed.end() == 2)
  }

  @Test func `Without a path requests wait until one comes`() async throws {
    let bed = try await MultipathBed()
    try await bed.attach()
    for port in bed.ports { try await bed.target.setANAState(.inaccessible, group: 1, port: port.identifier) }
    try await eventually { bed.device.snapshot.paths.allSatisfy { !$0.isAccessible } }
    let writes = (0..<8).map { index in
      Task { try await bed.device.write(at: UInt64(index), pattern(512, seed: UInt64(index))) }
    }
    try await eventually { bed.device.snapshot.statistics.heldCount == 8 }
    try await bed.target.setANAState(.nonOptimized, group: 1, port: bed.ports[1].identifier)
    for write in writes { try await write.value }
    for index in 0..<8 {
      #expect(try await bed.device.read(at: UInt64(index), blockCount: 1) == pattern(512, seed: UInt64(index)))
    }
    #expect(bed.device.snapshot.statistics.heldCount == 0)
    #expect(try await bed.end() == 2)
  }

  @Test func `Fast I/O fail ends what waits, and what comes, until the path is back`() async throws {
    let bed = try await MultipathBed(ports: 1) {
      $0.recovery = try RecoveryTimers(
        reconnectDelayMilliseconds: 50, controllerLossTimeoutMilliseconds: -1, fastIOFailTimeoutMilliseconds: 150)
    }
    try await bed.attach()
    try await bed.device.write(at: 0, pattern(512, seed: 1))
    try await bed.target.removePort(bed.ports[0].identifier)
    let held = await #expect(throws: BlockError.self) { _ = try await bed.device.read(at: 0, blockCount: 1) }
    switch held?.cause {
    case .failed(.notSent, _), .failed(.connectionLost, _): break
    default: Issue.record("\(String(describing: held))")
    }
    try await eventually { bed.device.snapshot.paths[0].availability == .unavailable(.fastIOFail) }
    let prompt = await #expect(throws: BlockError.self) { try await bed.device.write(at: 0, pattern(512, seed: 2)) }
    #expect(prompt?.cause == .failed(.notSent, .hostPathingError))
    var port = PortConfiguration(port: bed.ports[0].port)
    port.identifier = bed.ports[0].identifier
    try await bed.target.addPort(port)
    try await eventually { bed.device.snapshot.paths[0].isAccessible }
    #expect(try await bed.device.read(at: 0, blockCount: 1) == pattern(512, seed: 1))
    #expect(try await bed.end() == 2)
  }

  private final class ChannelBox: @unchecked Sendable {
    let channel: BlockChannel
    let buffer = UnsafeMutableRawBufferPointer.allocate(byteCount: 512, alignment: 8)
    init(_ channel: BlockChannel) { self.channel = channel }
    deinit { buffer.deallocate() }
  }

  @Test func `A channel whose device nobody holds any more hears of its paths`() async throws {
    let bed = try await MultipathBed(ports: 1)
    let controller = bed.controllers[0]
    controller.connect()
    try await controller.ready()
    func open() async throws -> ChannelBox {
      let device = MultipathBlockDevice(
        subsystemNQN: MultipathBed.nqn, namespaceIdentifier: 1, reactor: bed.thread.handle)
      try device.addPath(controller)
      return try await bed.thread.handle.perform { ChannelBox(try device.openChannel(on: $0, queueDepth: 4)) }
    }
    let box = try await open()
    try await bed.target.removePort(bed.ports[0].identifier)
    try await eventually { controller.condition != .ready }
    let submission = try await bed.thread.handle.perform { _ in
      box.channel.submit(BlockRequest(.read, logicalBlockAddress: 0, blockCount: 1, buffer: box.buffer))
    }
    #expect(submission == .accepted)
    var port = PortConfiguration(port: bed.ports[0].port)
    port.identifier = bed.ports[0].identifier
    try await bed.target.addPort(port)
    // Held until then; for ever, if nobody told the channel.
    try await eventually { try await bed.thread.handle.perform { _ in box.channel.hasCompletions } }
    let outcome = try await bed.thread.handle.perform { _ in
      withUnsafeTemporaryAllocation(of: BlockCompletion.self, capacity: 1) { completions in
        let count = box.channel.poll(into: completions)
        box.channel.close()
        return count == 1 ? completions[0].outcome : nil
      }
    }
    #expect(outcome == .success)
    #expect(try await bed.end() == 0)
  }

  @Test func `When the controller loss time-out expires the holders are told`() async throws {
    let bed = try await MultipathBed(ports: 1) {
      $0.recovery = try RecoveryTimers(reconnectDelayMilliseconds: 50, controllerLossTimeoutMilliseconds: 200)
    }
    try await bed.attach()
    let plain = try #require(bed.controllers[0].blockDevice(namespaceIdentifier: 1))
    let log = Mutex<[MultipathEvent]>([])
    _ = bed.device.addObserver { event in log.withLock { $0.append(event) } }
    try await bed.target.removePort(bed.ports[0].identifier)
    let error = await #expect(throws: BlockError.self) {
      while true { _ = try await bed.device.read(at: 0, blockCount: 1) }
    }
    #expect(error != nil)
    try await eventually { bed.device.isGone && plain.isGone }
    #expect(bed.controllers[0].snapshot.state == .deleted)
    try await eventually { log.withLock { $0.contains { if case .deviceGone = $0 { true } else { false } } } }
    let later = await #expect(throws: BlockError.self) { _ = try await bed.device.read(at: 0, blockCount: 1) }
    #expect(later?.cause == .refused(.closed))
    #expect(try await bed.end() == 0)
  }

  @Test func `Paths are added and removed under load`() async throws {
    let bed = try await MultipathBed(ports: 3)
    for controller in bed.controllers {
      controller.connect()
      try await controller.ready()
    }
    try bed.device.addPath(bed.controllers[0])
    try await underLoad(bed.device) {
      for round in 0..<12 {
        let next = bed.controllers[(round + 1) % 3]
        let added = try bed.device.addPath(next, isPreferred: true)
        try await eventually { bed.device.snapshot.paths.contains { $0.identifier == added && $0.isCurrent } }
        let old = try #require(bed.device.snapshot.paths.first { $0.identifier != added })
        #expect(bed.device.removePath(old.identifier))
        try await Task.sleep(for: .milliseconds(10))
      }
    }
    #expect(bed.device.snapshot.statistics.failureCount == 0)
    #expect(try await bed.end() == 2)
  }

  @Test func `Controllers are reset, and deleted, at any moment under load`() async throws {
    let bed = try await MultipathBed()
    try await bed.attach()
    try await underLoad(bed.device) {
      for round in 0..<6 {
        let controller = bed.controllers[round % 2]
        async let first: Void = controller.reset()
        // Resetting what is being reset is waited for.
        async let second: Void = controller.reset()
        _ = try await (first, second)
      }
      await bed.controllers[0].delete()
      // Twice is once.
      await bed.controllers[0].delete()
    }
    #expect(bed.controllers[0].snapshot.state == .deleted)
    #expect(bed.device.snapshot.paths.count == 1 && bed.device.snapshot.statistics.failureCount == 0)
    await #expect(throws: ControllerError.self) { try await bed.controllers[0].reset() }
    #expect(try await bed.end() == 2)
  }

  @Test func `A write of unknown outcome waits until its old path is quiesced`() async throws {
    let bed = try await MultipathBed { $0.keepAliveTimeoutMilliseconds = 500 }
    try await bed.attach()
    let fault = try await bed.target.addFault(FaultRule(.ioCommand(opcode: 0x01), .neverAnswer, count: 1))
    let write = Task { try await bed.device.write(at: 0, pattern(512, seed: 1)) }
    var count: UInt64 = 0
    while count == 0 {
      count = try await bed.target.faultCount(fault)
      try await Task.sleep(for: .milliseconds(5))
    }
    let before = MonotonicClock.nanoseconds()
    try await bed.target.closeConnections(reset: true)
    try await write.value
    // TBKAS: 3 × 500 ms, and 500 ms more in place of the CQT it does not report. Never less.
    #expect(MonotonicClock.nanoseconds() - before >= 2_000_000_000)
    let snapshot = bed.device.snapshot
    #expect(snapshot.statistics.fenceCount == 1 && snapshot.statistics.longestStallNanoseconds >= 2_000_000_000)
    #expect(snapshot.paths[0].quiesceMilliseconds == 2000)
    #expect(try await bed.device.read(at: 0, blockCount: 1) == pattern(512, seed: 1))
    #expect(try await bed.end() == 2)
  }

  /// Waits until the target has been sent what a fault waits for.
  private func acted(_ fault: UInt64, _ bed: MultipathBed) async throws {
    try await eventually { try await bed.target.faultCount(fault) > 0 }
  }

  @Test func `An orderly reset waits for what is outstanding`() async throws {
    let bed = try await MultipathBed(ports: 1) { $0.keepAliveTimeoutMilliseconds = 600_000 }
    try await bed.attach()
    let rule = FaultRule(.ioCommand(opcode: 0x01), .delay(nanoseconds: 200_000_000), count: 1)
    let fault = try await bed.target.addFault(rule)
    let write = Task { try await bed.device.write(at: 0, pattern(512, seed: 1)) }
    try await acted(fault, bed)
    try await bed.controllers[0].reset()
    // By a fence it would be 40 minutes, which the suite's limit ends.
    try await write.value
    let statistics = bed.device.snapshot.statistics
    #expect(statistics.fenceCount == 0 && statistics.holdCount == 0)
    _ = try await bed.device.read(at: 0, blockCount: 1)
    #expect(try await bed.end() == 2)
  }

  /// Linux nvmet confirms a shutdown at once, and executes what it has been sent afterwards.
  @Test func `A shutdown proves nothing of what was outstanding`() async throws {
    let bed = try await MultipathBed(ports: 1) { $0.keepAliveTimeoutMilliseconds = 500 }
    try await bed.attach()
    let fault = try await bed.target.addFault(FaultRule(.ioCommand(opcode: 0x01), .neverAnswer, count: 1))
    let write = Task { try await bed.device.write(at: 0, pattern(512, seed: 1)) }
    try await acted(fault, bed)
    let before = MonotonicClock.nanoseconds()
    try await bed.controllers[0].reset()
    try await write.value
    // TBKAS: 3 × 500 ms, and 500 ms more in place of the CQT it does not report. Never less.
    #expect(MonotonicClock.nanoseconds() - before >= 2_000_000_000)
    #expect(bed.device.snapshot.statistics.fenceCount == 1)
    #expect(try await bed.end() == 2)
  }

  /// The fence of such a write begins when its queue is lost, so that nothing may keep the association alive from then on.
  @Test func `A queue that is lost during a shutdown with commands left ends the association`() async throws {
    let bed = try await MultipathBed(ports: 1) {
      $0.keepAliveTimeoutMilliseconds = 600_000
      $0.adminTimeoutMilliseconds = 600_000
      $0.shutdownTimeoutMilliseconds = 600_000
      // After the second that outstanding commands have before the controller is shut down.
      $0.ioTimeoutMilliseconds = 4000
    }
    try await bed.attach()
    let controller = bed.controllers[0]
    let fault = try await bed.target.addFault(FaultRule(.ioCommand(opcode: 0x01), .neverAnswer, count: 1))
    let write = Task { try await bed.device.write(at: 0, pattern(512, seed: 1)) }
    try await acted(fault, bed)
    let poll = try await bed.target.addFault(FaultRule(.fabricsCommand(.propertyGet), .neverAnswer, count: 1))
    let reset = Task { try await controller.reset() }
    try await acted(poll, bed)
    #expect(controller.snapshot.association == 1)
    try await eventually { controller.snapshot.association == 2 }
    try await reset.value
    // Its fence is of 40 minutes.
    bed.device.close()
    let error = await #expect(throws: BlockError.self) { try await write.value }
    #expect(error?.isOutcomeUnknown == true)
    #expect(try await bed.end() == 0)
  }

  @Test func `What is no path of the device is refused`() async throws {
    let bed = try await MultipathBed()
    try await bed.attach()
    let twice = #expect(throws: MultipathPathError.self) { try bed.device.addPath(bed.controllers[0]) }
    #expect("\(twice!)".contains("is a path of this device already"))
    var configuration = bed.controllers[0].configuration
    configuration.subsystemNQN = "nqn.2026-11.io.swift-nvmeof:other"
    let stranger = Controller(
      transport: bed.controllers[0].transport, configuration: configuration, home: bed.thread.handle)
    let foreign = #expect(throws: MultipathPathError.self) { try bed.device.addPath(stranger) }
    #expect("\(foreign!)".contains("nqn.2026-11.io.swift-nvmeof:other"))
    var single = MultipathConfiguration()
    single.allowsSeveralPaths = false
    let disabled = MultipathBlockDevice(
      subsystemNQN: MultipathBed.nqn, namespaceIdentifier: 1, configuration: single, reactor: bed.thread.handle)
    try disabled.addPath(bed.controllers[0])
    let second = #expect(throws: MultipathPathError.self) { try disabled.addPath(bed.controllers[1]) }
    #expect("\(second!)".contains("multipath is disabled"))
    disabled.close()
    let late = #expect(throws: MultipathPathError.self) { try disabled.addPath(bed.controllers[0]) }
    #expect("\(late!)".contains("it has been closed") && disabled.isGone)
    _ = try await bed.device.read(at: 0, blockCount: 1)
    #expect(try await bed.end() == 2)
  }

  @Test func `Another namespace under the same identifier is not used`() async throws {
    let bed = try await MultipathBed(ports: 1)
    try await bed.attach()
    try await bed.device.write(at: 0, pattern(512, seed: 1))
    try await bed.target.removeNamespace(1, from: MultipathBed.nqn)
    try await eventually { bed.device.snapshot.paths[0].availability == .unavailable(.namespaceMissing) }
    var other = NamespaceConfiguration.memory(byteCount: 1 << 22)
    other.uuid = [UInt8](repeating: 0x42, count: 16)
    try await bed.target.addNamespace(1, other, to: MultipathBed.nqn)
    try await eventually {
      if case .unavailable(.namespaceMismatch(let difference)) = bed.device.snapshot.paths[0].availability {
        return difference.contains("UUID 42424242-")
      }
      return false
    }
    let error = await #expect(throws: BlockError.self) { _ = try await bed.device.read(at: 0, blockCount: 1) }
    #expect(error?.cause == .failed(.notSent, .hostPathingError))
    // The right one is used again when it comes back.
    try await bed.target.removeNamespace(1, from: MultipathBed.nqn)
    try await bed.target.addNamespace(1, .memory(byteCount: 1 << 21), to: MultipathBed.nqn)
    try await eventually { bed.device.snapshot.paths[0].isAccessible }
    #expect(bed.device.geometry.blockCount == (1 << 21) / 512)
    _ = try await bed.device.read(at: 0, blockCount: 1)
    #expect(try await bed.end() == 2)
  }

  /// Two targets with one configuration: everything is the same but for the blocks.
  private func withCopy(
    keepAliveMilliseconds: UInt32, _ body: (MultipathBed, EmbeddedTarget, Controller) async throws -> Void
  ) async throws {
    var configuration = MultipathConfiguration()
    configuration.policy = try MultipathPolicy(.activeActive(.roundRobin(minimumIO: 1)))
    let bed = try await MultipathBed(
      ports: 1, multipath: configuration, host: { $0.keepAliveTimeoutMilliseconds = keepAliveMilliseconds })
    try await bed.attach()
    let copy = try await EmbeddedTarget.start()
    var subsystem = SubsystemConfiguration(nqn: MultipathBed.nqn)
    subsystem.namespaces = [1: .memory(byteCount: 1 << 22)]
    try await copy.addSubsystem(subsystem)
    let port = try await copy.addPort()
    let controller = Controller(
      transport: TCPTransport(host: "127.0.0.1", port: port.port), configuration: bed.controllers[0].configuration,
      home: bed.thread.handle)
    controller.connect()
    try await controller.ready()
    let path = try bed.device.addPath(controller)
    #expect(bed.device.snapshot.paths[1].availability == .unavailable(.duplicateController(1)))
    try await body(bed, copy, controller)
    bed.device.removePath(path)
    await controller.disconnect()
    await copy.stop()
    #expect(try await bed.end() == 2)
  }

  @Test func `A copy of the subsystem under the same name is no path to it`() async throws {
    try await withCopy(keepAliveMilliseconds: 300) { bed, copy, _ in
      for block in 0..<64 { try await bed.device.write(at: UInt64(block), pattern(512, seed: 1)) }
      let written = try await copy.readNamespace(1, of: MultipathBed.nqn, offset: 0, byteCount: 64 * 512)
      #expect(written.allSatisfy { $0 == 0 })
      // Nor is it one when the right one is away, once it is certain that both were there together.
      try await Task.sleep(for: .milliseconds(700))
      await bed.controllers[0].disconnect()
      #expect(bed.device.snapshot.paths[1].availability == .unavailable(.duplicateController(1)))
      let error = await #expect(throws: BlockError.self) { try await bed.device.write(at: 0, pattern(512, seed: 2)) }
      #expect(error?.cause == .failed(.notSent, .hostPathingError))
    }
  }

  @Test func `A controller that has got the identifier of a lost one is used when the loss is known`() async throws {
    try await withCopy(keepAliveMilliseconds: 60_000) { bed, _, _ in
      #expect(bed.device.removePath(bed.device.snapshot.paths[0].identifier))
      try await eventually { bed.device.snapshot.paths[0].isAccessible }
      _ = try await bed.device.read(at: 0, blockCount: 1)
    }
  }

  @Test func `A dead address at connect time does no harm`() async throws {
    let bed = try await MultipathBed { $0.retriesFirstConnect = true }
    try await bed.target.removePort(bed.ports[0].identifier)
    for controller in bed.controllers {
      controller.connect()
      try bed.device.addPath(controller)
    }
    try await eventually { bed.device.snapshot.paths[1].isAccessible }
    try await bed.device.write(at: 0, pattern(512, seed: 1))
    #expect(bed.device.snapshot.paths[0].availability == .unavailable(.connecting))
    #expect(try await bed.end() == 2)
  }

  @Test func `A channel that was closed with a request under way opens nothing for a path that comes then`()
    async throws
  {
    let bed = try await MultipathBed()
    bed.controllers[0].connect()
    try await bed.controllers[0].ready()
    try bed.device.addPath(bed.controllers[0])
    let answers = FaultRule(.ioCommand(opcode: IOOpcode.read.rawValue), .delay(nanoseconds: 500_000_000))
    let fault = try await bed.target.addFault(answers)
    nonisolated(unsafe) let memory = UnsafeMutableRawBufferPointer.allocate(byteCount: 512, alignment: 512)
    let device = bed.device
    let submission = try await bed.thread.handle.perform { reactor in
      let channel = try device.openChannel(on: reactor, queueDepth: 4)
      defer { channel.close() }
      return channel.submit(BlockRequest(.read, blockCount: 1, buffer: memory))
    }
    #expect(submission == .accepted)
    try await eventually { try await bed.target.faultCount(fault) >= 1 }
    bed.controllers[1].connect()
    try await bed.controllers[1].ready()
    try bed.device.addPath(bed.controllers[1])
    try await eventually { bed.device.snapshot.paths[1].isAccessible }
    // Until the answer has come and the channel is gone, the home's own sources aside.
    try await Task.sleep(for: .milliseconds(700))
    #expect(try await bed.end() == 0)
    memory.deallocate()
  }
  @Test func `A request that is lost after its channel was closed ends, whatever paths may come`() async throws {
    let bed = try await MultipathBed { $0.retriesFirstConnect = true }
    // A path that is being connected, and never is.
    try await bed.target.removePort(bed.ports[1].identifier)
    for controller in bed.controllers {
      controller.connect()
      try bed.device.addPath(controller)
    }
    try await eventually { bed.device.snapshot.paths[0].isAccessible }
    let late = FaultRule(.ioCommand(opcode: IOOpcode.write.rawValue), .delay(nanoseconds: 60_000_000_000))
    let fault = try await bed.target.addFault(late)
    nonisolated(unsafe) let memory = UnsafeMutableRawBufferPointer.allocate(byteCount: 512, alignment: 512)
    memory.initializeMemory(as: UInt8.self, repeating: 0)
    nonisolated(unsafe) weak var channel: BlockChannel?
    let device = bed.device
    let submission = try await bed.thread.handle.perform { reactor in
      let opened = try device.openChannel(on: reactor, queueDepth: 4)
      channel = opened
      defer { opened.close() }
      return opened.submit(BlockRequest(.write, blockCount: 1, buffer: memory))
    }
    #expect(submission == .accepted)
    try await eventually { try await bed.target.faultCount(fault) >= 1 }
    #expect(channel != nil)
    try await bed.target.removePort(bed.ports[0].identifier)
    // A channel stays on its reactor until the last of its requests has ended.
    try await eventually { channel == nil }
    #expect(try await bed.end() == 0)
    memory.deallocate()
  }
}

extension Result where Success == Void, Failure == any Error {
  static func of(_ body: () async throws -> Void) async -> Result {
    do { return .success(try await body()) } catch { return .failure(error) }
  }
}
