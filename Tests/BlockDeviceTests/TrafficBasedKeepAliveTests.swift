import BlockDevice
import EmbeddedTarget
import TestSupport
import Testing

@Suite(.timeLimit(.minutes(2))) struct TrafficBasedKeepAliveTests {
  /// On a busy machine a thread may have to wait for longer than a shorter one, which is a loss.
  private static let keepAliveTimeoutMilliseconds: UInt32 = 1500

  /// Keep Alive, opcode 18h: a rule that only counts.
  private func countKeepAlives(_ bed: TestBed) async throws -> UInt64 {
    try await bed.target.addFault(FaultRule(.adminCommand(opcode: 0x18), .delay(nanoseconds: 1000)))
  }

  /// I/O queues on two reactors, neither of which is asked while it has nothing to tell.
  @Test func `Under load none is sent, and the connection stays`() async throws {
    let other = try ReactorThread()
    let bed = try await TestBed(host: { $0.keepAliveTimeoutMilliseconds = Self.keepAliveTimeoutMilliseconds })
    let rule = try await countKeepAlives(bed)
    var configuration = bed.controller.configuration
    configuration.queueCount = 1
    let controller = Controller(
      transport: bed.controller.transport, configuration: configuration, home: bed.thread.handle,
      queueReactors: [other.handle])
    controller.connect()
    try await controller.ready()
    let device = try #require(controller.blockDevice(namespaceIdentifier: 1))
    let load = Task { while !Task.isCancelled { _ = try await device.read(at: 0, blockCount: 8) } }
    // A keep alive and its CSTS are traffic as well: without I/O every other one is left out, and no more.
    var sent: UInt64 = 0
    while controller.snapshot.omittedKeepAliveCount < sent + 6 {
      try await Task.sleep(for: .milliseconds(20))
      sent = try await bed.target.faultCount(rule)
    }
    load.cancel()
    try await load.value
    #expect(controller.condition == .ready && controller.snapshot.recovery.lossCount == 0)
    // Without load they are sent again.
    let before = try await bed.target.faultCount(rule)
    try await eventually { try await bed.target.faultCount(rule) >= before + 3 }
    #expect(controller.condition == .ready && controller.snapshot.recovery.lossCount == 0)
    await controller.delete()
    _ = try await bed.end()
    other.stop()
  }

  @Test func `A controller that does not go by traffic gets them all`() async throws {
    let bed = try await TestBed(
      target: { $0.hasTrafficBasedKeepAlive = false },
      host: { $0.keepAliveTimeoutMilliseconds = Self.keepAliveTimeoutMilliseconds })
    let rule = try await countKeepAlives(bed)
    let controller = try await bed.connect()
    let device = try #require(controller.blockDevice(namespaceIdentifier: 1))
    while try await bed.target.faultCount(rule) < 4 { _ = try await device.read(at: 0, blockCount: 8) }
    #expect(controller.snapshot.omittedKeepAliveCount == 0)
    let left = try await bed.end()
    #expect(left == 0)
  }
}
