@testable import BlockDevice
import EmbeddedTarget
import Synchronization
import TestSupport
import Testing

/// Paths that come as others go, and those of controllers that are no more.
@Suite(.serialized, .timeLimit(.minutes(2))) struct PathLifeTests {
  /// Nothing would ever tell that it has gone.
  @Test func aControllerThatHasBeenDeletedIsNoPath() async throws {
    let bed = try await MultipathBed(ports: 1)
    let controller = bed.controllers[0]
    controller.connect()
    try await controller.ready()
    await controller.delete()
    #expect(controller.snapshot.deletionReason == .requested)
    let error = #expect(throws: MultipathPathError.self) { try bed.device.addPath(controller) }
    #expect(error?.field == "controller")
    #expect(bed.device.snapshot.paths.isEmpty)
    _ = try await bed.end()
  }

  /// The last path is lost for good; another one comes before the device has ended for it.
  @Test func aDeviceThatGetsAPathWhileItEndsLives() async throws {
    let bed = try await MultipathBed { host throws in
      host.keepAliveTimeoutMilliseconds = 60_000
      host.recovery = try RecoveryTimers(reconnectDelayMilliseconds: 50, controllerLossTimeoutMilliseconds: 100)
    }
    for controller in bed.controllers {
      controller.connect()
      try await controller.ready()
    }
    let device = bed.device
    try device.addPath(bed.controllers[0])
    try await device.write(at: 0, pattern(4096, seed: 1))
    let hasEnded = Atomic(false)
    let other = bed.controllers[1]
    _ = device.addObserver { [weak device] event in
      switch event {
      case .pathRemoved(_, .controllerLossTimeout): _ = try? device?.addPath(other)
      case .deviceGone: hasEnded.store(true, ordering: .releasing)
      default: break
      }
    }
    try await bed.target.removePort(bed.ports[0].identifier)
    try await eventually { device.snapshot.paths.map(\.controller).contains { $0 === other } }
    try await eventually { device.snapshot.paths.count == 1 }
    // On the channel that it had.
    #expect(try await device.read(at: 0, blockCount: 8) == pattern(4096, seed: 1))
    #expect(!hasEnded.load(ordering: .acquiring) && !device.isGone)
    _ = try await bed.end()
  }

  /// A request that was chosen in one association must not go in the next one, of which whoever sent it has not heard: it would
  /// be taken for lost with the first, and sent again while the second still executes it.
  @Test(arguments: [0, 1]) func whatIsForwardedBelongsToOneAssociation(_ difference: UInt64) async throws {
    let far = try ReactorThread()
    let bed = try await MultipathBed(ports: 1, queueReactors: [far.handle])
    let controller = bed.controllers[0]
    controller.connect()
    try await controller.ready()
    let device = try #require(controller.blockDevice(namespaceIdentifier: 1))
    let association = controller.snapshot.association - difference
    let near = try Reactor()
    let channel = ForwardingChannel(
      reactor: near, queueDepth: 4, device: device, association: association, far: far.handle)
    #expect(channel.submit(BlockRequest(.flush)) == .accepted)
    let completions = UnsafeMutableBufferPointer<BlockCompletion>.allocate(capacity: 1)
    defer { completions.deallocate() }
    let end = MonotonicClock.nanoseconds() + 60_000_000_000
    #expect(near.turn(untilNanoseconds: end, while: { !channel.hasCompletions }))
    #expect(channel.poll(into: completions) == 1)
    #expect(completions[0].outcome == (difference == 0 ? .success : .notSent))
    channel.close()
    #expect(near.turn(untilNanoseconds: end, while: { near.sourceCount > 0 }))
    _ = try await bed.end()
    far.stop()
  }
}
