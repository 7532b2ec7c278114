import BlockDevice

/// I/O by the submit/poll face of a block device: the whole way through channel, queue pair and reactor, and back.
final class ChannelLoad: Load {
  private let shape: LoadShape
  private let reactor: Reactor
  private let controller: Controller
  private let channel: BlockChannel
  private let memory: LoadMemory
  private let completions: UnsafeMutableBufferPointer<BlockCompletion>

  init(_ shape: LoadShape) throws {
    precondition(!shape.hasDigests && !shape.hasResponseCapsule, "the memory transport has none")
    self.shape = shape
    reactor = try Reactor()
    var configuration = ControllerConfiguration(
      subsystemNQN: "nqn.2026-11.io.swift-nvmeof:instructions",
      hostNQN: "nqn.2014-08.org.nvmexpress:uuid:7f2d5ac2-4c3a-4f0e-9c66-0c6a1e7f3b12",
      hostIdentifier: Identifier128(high: 0x7f2d, low: 0x5ac4))
    configuration.queueDepth = LoadShape.depth
    configuration.queueCount = 1
    // Keep alive commands are not I/O: they would come at any time.
    configuration.keepAliveTimeoutMilliseconds = 0
    controller = Controller(transport: MemoryTransport(), configuration: configuration, home: reactor.handle)
    controller.connect()
    let limit = MonotonicClock.nanoseconds() + 60_000_000_000
    let controller = controller
    _ = reactor.turn(untilNanoseconds: limit) { controller.condition == .connecting }
    guard case .ready = controller.condition, let device = controller.blockDevice(namespaceIdentifier: 1) else {
      throw GateError("no namespace by the memory transport: \(controller.condition)")
    }
    channel = try device.openChannel(on: reactor, queueDepth: LoadShape.depth)
    memory = LoadMemory(shape)
    completions = .allocate(capacity: LoadShape.depth)
  }

  deinit { completions.deallocate() }

  func doRound() throws {
    for slot in 0..<LoadShape.depth {
      let vector = memory.vectors[slot]
      let request = BlockRequest(
        shape.operation, logicalBlockAddress: UInt64(slot * shape.blockCount), blockCount: UInt32(shape.blockCount),
        buffer: UnsafeMutableRawBufferPointer(start: vector.base, count: vector.count), token: UInt64(slot))
      let answer = channel.submit(request)
      guard answer == .accepted else { throw GateError("a request was not accepted: \(answer)") }
    }
    var count = 0
    // All that a turn does without the kernel: nothing is in the ring.
    while count < LoadShape.depth {
      guard reactor.turn(.none) > 0 else { throw GateError("a turn has brought nothing") }
      let polled = channel.poll(into: completions)
      for index in 0..<polled where !completions[index].isSuccess {
        throw GateError("a request has failed: \(completions[index].outcome)")
      }
      count += polled
    }
  }

  func verify() throws { try memory.verify() }
}
