import BlockDevice
import EmbeddedTarget
import Synchronization
import TestSupport
import Testing

/// Controllers that have no I/O queue for some reactor.
extension MultipathBlockDeviceTests {
  /// The device's own face is on the home reactor, all queues are on another one.
  private func withQueuesElsewhere(
    multipath configuration: MultipathConfiguration = MultipathConfiguration(),
    host tune: @escaping (inout ControllerConfiguration) -> Void = { _ in },
    _ body: (MultipathBed, ReactorThread) async throws -> Void
  ) async throws {
    let other = try ReactorThread()
    let bed = try await MultipathBed(
      ports: 1, multipath: configuration, queueReactors: [other.handle], host: tune)
    try await bed.attach()
    try await body(bed, other)
    #expect(try await bed.end() == 2)
    other.stop()
  }

  @Test func `A channel without a queue on its reactor is served by another reactor's`() async throws {
    let other = try ReactorThread()
    let home = try ReactorThread()
    let bed = try await MultipathBed(ports: 1, queueReactors: [other.handle, home.handle]) { $0.queueCount = 2 }
    let device = MultipathBlockDevice(subsystemNQN: MultipathBed.nqn, namespaceIdentifier: 1, reactor: home.handle)
    let controller = bed.controllers[0]
    controller.connect()
    try await controller.ready()
    try device.addPath(controller)
    try await device.write(at: 0, pattern(4096, seed: 1))
    let sourceCount = try await other.handle.perform { $0.sourceCount }
    try await bed.target.setMaximumIOQueues(1)
    try await controller.reset()
    #expect(controller.ioQueues(on: home.handle).isEmpty)
    #expect(try await device.read(at: 0, blockCount: 8) == pattern(4096, seed: 1))
    try await withThrowingTaskGroup(of: Void.self) { group in
      for index in 0..<64 as Range<UInt64> {
        group.addTask { try await device.write(at: index * 8, pattern(4096, seed: index)) }
      }
      try await group.waitForAll()
    }
    for index in 0..<64 as Range<UInt64> {
      #expect(try await device.read(at: index * 8, blockCount: 8) == pattern(4096, seed: index))
    }
    #expect(try await other.handle.perform { $0.sourceCount } > sourceCount)
    // With a queue of its own again it does without.
    try await bed.target.setMaximumIOQueues(64)
    try await controller.reset()
    _ = try await device.read(at: 0, blockCount: 8)
    try await eventually { try await other.handle.perform { $0.sourceCount } == sourceCount }
    device.close()
    #expect(try await bed.end() == 0)
    #expect(try await home.handle.perform { $0.sourceCount } == 0)
    #expect(try await other.handle.perform { $0.sourceCount } == 0)
    other.stop()
    home.stop()
  }

  @Test func `Requests on another reactor's queue are sent again when their connection is lost`() async throws {
    try await withQueuesElsewhere { bed, _ in
      let fault = try await bed.target.addFault(FaultRule(.ioCommand(), .neverAnswer, count: 4))
      let device = bed.device
      try await withThrowingTaskGroup(of: [UInt8].self) { group in
        for index in 0..<4 as Range<UInt64> { group.addTask { try await device.read(at: index, blockCount: 1) } }
        try await eventually { try await bed.target.faultCount(fault) == 4 }
        try await bed.target.closeConnections(reset: true)
        for try await bytes in group { #expect(bytes == [UInt8](repeating: 0, count: 512)) }
      }
      #expect(device.snapshot.statistics.failureCount == 0)
    }
  }

  @Test func `A namespace that goes while requests are on another reactor's queue leaves none behind`() async throws {
    try await withQueuesElsewhere { bed, other in
      let sourceCount = try await other.handle.perform { $0.sourceCount }
      let device = bed.device
      _ = try await device.read(at: 0, blockCount: 1)
      let reader = Task { () async throws -> Void in
        while true { _ = try await device.read(at: 0, blockCount: 1) }
      }
      try await bed.target.removeNamespace(1, from: MultipathBed.nqn)
      await #expect(throws: BlockError.self) { try await reader.value }
      for path in device.snapshot.paths { device.removePath(path.identifier) }
      try await eventually { try await other.handle.perform { $0.sourceCount } == sourceCount }
    }
  }

  /// In the same association: that its requests were not sent any more is no loss of the path.
  @Test func `A namespace that goes and comes back is used again`() async throws {
    var configuration = MultipathConfiguration()
    configuration.countsPathIO = true
    try await withQueuesElsewhere(multipath: configuration, host: { $0.queueDepth = 1 }) { bed, _ in
      let device = bed.device
      let fault = try await bed.target.addFault(
        FaultRule(.ioCommand(opcode: 0x02), .delay(nanoseconds: 3_000_000_000), count: 1))
      let first = Task { try await device.read(at: 0, blockCount: 1) }
      try await eventually { try await bed.target.faultCount(fault) == 1 }
      // On the other reactor, waiting for room in the queue.
      let second = Task { try await device.read(at: 1, blockCount: 1) }
      try await eventually { device.snapshot.paths[0].io?.outstandingCount == 2 }
      try await bed.target.removeNamespace(1, from: MultipathBed.nqn)
      await #expect(throws: BlockError.self) { try await second.value }
      _ = await first.result
      try await bed.target.addNamespace(1, .memory(byteCount: 1 << 22), to: MultipathBed.nqn)
      try await eventually { device.snapshot.paths[0].isAccessible }
      let isDone = Mutex(false)
      let third = Task {
        let bytes = try await device.read(at: 0, blockCount: 1)
        isDone.withLock { $0 = true }
        return bytes
      }
      try await eventually { isDone.withLock { $0 } }
      #expect(try await third.value == [UInt8](repeating: 0, count: 512))
      #expect(bed.controllers[0].snapshot.association == 1)
    }
  }

  @Test func `Where their own reactor ends requests on another one are waited for`() async throws {
    let other = try ReactorThread()
    let bed = try await MultipathBed(ports: 1, queueReactors: [other.handle])
    try await bed.attach()
    let device = bed.device
    let fault = try await bed.target.addFault(FaultRule(.ioCommand(), .neverAnswer, count: 1))
    let hasFailed = Mutex(false)
    let read = Task {
      await #expect(throws: BlockError.self) { _ = try await device.read(at: 0, blockCount: 1) }
      hasFailed.withLock { $0 = true }
    }
    try await eventually { try await bed.target.faultCount(fault) == 1 }
    // The controller's home, too: with it the controller's queues close, and the command is lost.
    bed.thread.stop()
    try await eventually { hasFailed.withLock { $0 } }
    await read.value
    await bed.target.stop()
    other.stop()
  }

  /// It has nothing else to wait for, and its end is not the controller's.
  @Test func `A reactor that ends takes the answers of another one`() async throws {
    let other = try ReactorThread()
    let near = try ReactorThread()
    let bed = try await MultipathBed(ports: 1, queueReactors: [other.handle])
    let device = MultipathBlockDevice(subsystemNQN: MultipathBed.nqn, namespaceIdentifier: 1, reactor: near.handle)
    let controller = bed.controllers[0]
    controller.connect()
    try await controller.ready()
    try device.addPath(controller)
    let fault = try await bed.target.addFault(
      FaultRule(.ioCommand(), .delay(nanoseconds: 500_000_000), count: 1))
    let isDone = Mutex(false)
    let read = Task {
      let bytes = try await device.read(at: 0, blockCount: 1)
      isDone.withLock { $0 = true }
      return bytes
    }
    try await eventually { try await bed.target.faultCount(fault) == 1 }
    // From here to the answer no task has a part in it, which a machine under load would keep waiting.
    near.stop()
    try await eventually { isDone.withLock { $0 } }
    #expect(try await read.value == [UInt8](repeating: 0, count: 512))
    device.close()
    #expect(try await bed.end() == 0)
    try await eventually { try await other.handle.perform { $0.sourceCount } == 0 }
    other.stop()
  }

  @Test func `Where the other reactor has ended requests fail`() async throws {
    try await withQueuesElsewhere(host: { $0.recovery = .never }) { bed, other in
      _ = try await bed.device.read(at: 0, blockCount: 1)
      other.stop()
      await #expect(throws: BlockError.self) {
        while true { _ = try await bed.device.read(at: 0, blockCount: 1) }
      }
    }
  }
}
