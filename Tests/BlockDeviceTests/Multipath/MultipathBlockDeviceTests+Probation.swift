import BlockDevice
import EmbeddedTarget
import Synchronization
import TestSupport
import Testing

/// Controllers that can be connected and answer keep alives, and do no I/O.
extension MultipathBlockDeviceTests {
  private func makeBed(
    ports: Int, probation: ClosedRange<UInt32>, timeoutAction: CommandTimeoutAction = .reset
  ) async throws -> MultipathBed {
    var configuration = MultipathConfiguration()
    configuration.probationDelayMilliseconds = probation
    let bed = try await MultipathBed(ports: ports, multipath: configuration) {
      $0.ioTimeoutMilliseconds = 200
      $0.timeoutAction = timeoutAction
      $0.keepAliveTimeoutMilliseconds = 5000
    }
    try await bed.attach()
    return bed
  }

  private func silence(_ bed: MultipathBed, count: UInt64? = nil) async throws -> UInt64 {
    var rule = FaultRule(.ioCommand(), .neverAnswer, count: count)
    rule.portIdentifier = bed.ports[0].identifier
    return try await bed.target.addFault(rule)
  }

  @Test(arguments: [
    MultipathPolicy.Spread.activePassive, .activeActive(.roundRobin(minimumIO: 1)), .activeActive(.latency),
  ])
  func `A path that does no I/O costs one time-out, and is used again when it does`(
    _ spread: MultipathPolicy.Spread
  ) async throws {
    let bed = try await makeBed(ports: 2, probation: 20...100)
    let device = bed.device
    device.setPolicy(try MultipathPolicy(spread))
    let first = try #require(device.snapshot.paths.first).identifier
    device.setPreferredPath(first)
    let log = Mutex<[MultipathEvent]>([])
    let observer = device.addObserver { event in log.withLock { $0.append(event) } }
    _ = try await silence(bed)
    for _ in 0..<8 { _ = try await device.read(at: 0, blockCount: 8) }
    #expect(device.snapshot.statistics.pathLossCount == 1)
    // It is back at once, and its probes have the controller reset, again and again.
    while bed.controllers[0].snapshot.recovery.lossCount < 4 {
      _ = try await device.read(at: 0, blockCount: 8)
      let snapshot = device.snapshot
      if snapshot.paths[0].isAccessible { #expect(snapshot.paths[0].isOnProbation && !snapshot.paths[0].isCurrent) }
      #expect(!snapshot.paths[1].isOnProbation)
    }
    // No request has gone there.
    #expect(device.snapshot.statistics.pathLossCount == 1 && device.snapshot.statistics.failureCount == 0)
    try await bed.target.removeAllFaults()
    try await eventually { device.snapshot.paths[0].isCurrent && !device.snapshot.paths[0].isOnProbation }
    for _ in 0..<8 { _ = try await device.read(at: 0, blockCount: 8) }
    #expect(device.snapshot.statistics.pathLossCount == 1)
    device.removeObserver(observer)
    let events = log.withLock { $0 }
    #expect(events.count { $0 == .pathProbationBegan(first) } == 1)
    #expect(events.count { $0 == .pathProbationEnded(first) } == 1)
    #expect(try await bed.end() == 2)
  }

  @Test func `A path whose commands are aborted for want of an answer is on probation, lost or not`() async throws {
    let bed = try await makeBed(ports: 2, probation: 20...100, timeoutAction: .abort)
    let device = bed.device
    device.setPreferredPath(device.snapshot.paths[0].identifier)
    let fault = try await silence(bed)
    for _ in 0..<8 { _ = try await device.read(at: 0, blockCount: 8) }
    #expect(device.snapshot.paths[0].isOnProbation && !device.snapshot.paths[0].isCurrent)
    // Of the requests one has been there, whatever probes there were.
    #expect(device.snapshot.statistics.retryCount == 1 && device.snapshot.statistics.failureCount == 0)
    // Probes are aborted, too, and prove nothing.
    let count = try await bed.target.faultCount(fault)
    try await eventually { try await bed.target.faultCount(fault) >= count + 2 }
    #expect(device.snapshot.paths[0].isOnProbation)
    #expect(bed.controllers[0].snapshot.recovery.lossCount == 0)
    try await bed.target.removeAllFaults()
    try await eventually { device.snapshot.paths[0].isCurrent && !device.snapshot.paths[0].isOnProbation }
    #expect(try await bed.end() == 2)
  }

  @Test func `A path on probation is used when it is the only one`() async throws {
    let bed = try await makeBed(ports: 2, probation: 600_000...600_000)
    _ = try await silence(bed, count: 1)
    _ = try await bed.device.read(at: 0, blockCount: 8)
    try await eventually { bed.device.snapshot.paths[0].isAccessible && bed.device.snapshot.paths[0].isOnProbation }
    #expect(bed.device.snapshot.paths[1].isCurrent)
    await bed.controllers[1].disconnect()
    let bytes = pattern(512, seed: 1)
    try await bed.device.write(at: 0, bytes)
    #expect(try await bed.device.read(at: 0, blockCount: 1) == bytes)
    #expect(bed.device.snapshot.paths[0].isCurrent && bed.device.snapshot.paths[0].isOnProbation)
    // A probe that waits for its time goes with its path.
    #expect(try await bed.end() == 2)
  }

  @Test func `Another loss than for unanswered I/O is no probation`() async throws {
    let bed = try await makeBed(ports: 2, probation: 600_000...600_000)
    _ = try await bed.device.read(at: 0, blockCount: 8)
    try await bed.target.closeConnections(reset: true)
    try await eventually { bed.controllers.allSatisfy { $0.snapshot.recovery.reconnectCount == 1 } }
    try await bed.controllers[0].reset()
    try await eventually { bed.device.snapshot.paths.allSatisfy { $0.isAccessible } }
    #expect(bed.device.snapshot.paths.allSatisfy { !$0.isOnProbation })
    #expect(try await bed.end() == 2)
  }

  @Test(arguments: [(StatusField.unrecoveredReadError, true), (.internalPathError, false)])
  func `An error is an answer, unless it is the path's`(_ status: StatusField, isAnswer: Bool) async throws {
    let bed = try await makeBed(ports: 2, probation: 1...1)
    _ = try await silence(bed, count: 1)
    var rule = FaultRule(.ioCommand(), .status(status))
    rule.portIdentifier = bed.ports[0].identifier
    rule.skipCount = 1
    let fault = try await bed.target.addFault(rule)
    _ = try await bed.device.read(at: 0, blockCount: 8)
    // What is no answer is followed by another probe.
    try await eventually { try await bed.target.faultCount(fault) >= (isAnswer ? 1 : 5) }
    if isAnswer { try await eventually { !bed.device.snapshot.paths[0].isOnProbation } }
    #expect(bed.device.snapshot.paths[0].isAccessible && bed.device.snapshot.paths[0].isOnProbation != isAnswer)
    #expect(bed.controllers[0].snapshot.recovery.lossCount == 1)
    #expect(try await bed.end() == 2)
  }

  @Test func `A path is probed by the queue that left a command unanswered`() async throws {
    var configuration = MultipathConfiguration()
    configuration.probationDelayMilliseconds = 1...1
    let bed = try await MultipathBed(ports: 1, multipath: configuration) {
      $0.queueCount = 2
      $0.ioTimeoutMilliseconds = 2000
      $0.timeoutAction = .abort
      $0.keepAliveTimeoutMilliseconds = 60_000
    }
    try await bed.attach()
    let queues = bed.controllers[0].ioQueues
    _ = try await bed.device.read(at: 0, blockCount: 8)
    // The device's own channel.
    let used = try #require(queues.firstIndex { $0.userCount == 1 })
    _ = try await silence(bed)
    let read = Task { try await bed.device.read(at: 0, blockCount: 8) }
    var counts: [Int] = []
    // The probe hangs, as the request does.
    try await eventually {
      counts = queues.map(\.userCount)
      return counts.reduce(0, +) == 2
    }
    #expect(counts[used] == 2)
    try await bed.target.removeAllFaults()
    _ = try await read.value
    try await eventually { !bed.device.snapshot.paths[0].isOnProbation }
    #expect(try await bed.end() == 2)
  }

  /// What is under way when the path, the namespace or the controller goes.
  @Test(arguments: 0..<4)
  func `A probe that hangs ends with what it is for`(_ end: Int) async throws {
    let bed = try await makeBed(ports: 2, probation: 1...1)
    let fault = try await silence(bed)
    _ = try await bed.device.read(at: 0, blockCount: 8)
    try await eventually { try await bed.target.faultCount(fault) > 1 }
    switch end {
    case 0: bed.device.removePath(bed.device.snapshot.paths[0].identifier)
    case 1: try await bed.target.removeNamespace(1, from: MultipathBed.nqn)
    case 2: await bed.controllers[0].delete()
    default: bed.device.close()
    }
    #expect(try await bed.end() == (end == 3 ? 0 : 2))
  }
}
