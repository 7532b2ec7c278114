import BlockDevice

/// I/O by the submit/poll face of a block device: the whole way through channel, queue pair and reactor, and back.
final class ChannelLoad: Load {
  enum Kind {
    /// The device of one controller.
    case plain
    /// The devices of two controllers in turn, by hand: what two paths cost without anybody who chooses.
    case twoByHand
    /// A multipath device over two controllers that take turns.
    case twoPaths
  }

  private let shape: LoadShape
  private let reactor: Reactor
  private let controllers: [Controller]
  private let devices: [any BlockDevice]
  /// Requests go to them in turn.
  private let channels: [BlockChannel]
  private let memory: LoadMemory
  private let completions: UnsafeMutableBufferPointer<BlockCompletion>

  private static let nqn = "nqn.2026-11.io.swift-nvmeof:instructions"

  init(_ shape: LoadShape, _ kind: Kind) throws {
    precondition(!shape.hasDigests && !shape.hasResponseCapsule, "the memory transport has none")
    self.shape = shape
    reactor = try Reactor()
    var controllers: [Controller] = []
    for identifier in UInt16(1)...(kind == .plain ? 1 : 2) {
      controllers.append(try Self.connect(on: reactor, controllerIdentifier: identifier))
    }
    self.controllers = controllers
    if kind == .twoPaths {
      var configuration = MultipathConfiguration()
      configuration.policy = try MultipathPolicy(.activeActive(.roundRobin(minimumIO: 1)))
      let multipath = MultipathBlockDevice(
        subsystemNQN: Self.nqn, namespaceIdentifier: 1, configuration: configuration, reactor: reactor.handle)
      for controller in controllers { try multipath.addPath(controller) }
      guard multipath.snapshot.paths.allSatisfy(\.isAccessible) else { throw GateError("\(multipath.snapshot)") }
      devices = [multipath]
    } else {
      devices = controllers.compactMap { $0.blockDevice(namespaceIdentifier: 1) }
      guard devices.count == controllers.count else { throw GateError("no namespace 1") }
    }
    var channels: [BlockChannel] = []
    for device in devices {
      channels.append(try device.openChannel(on: reactor, queueDepth: LoadShape.depth / devices.count))
    }
    self.channels = channels
    memory = LoadMemory(shape)
    completions = .allocate(capacity: LoadShape.depth)
  }

  private static func connect(on reactor: Reactor, controllerIdentifier: UInt16) throws -> Controller {
    var configuration = ControllerConfiguration(
      subsystemNQN: nqn, hostNQN: "nqn.2014-08.org.nvmexpress:uuid:7f2d5ac2-4c3a-4f0e-9c66-0c6a1e7f3b12",
      hostIdentifier: Identifier128(high: 0x7f2d, low: 0x5ac4))
    configuration.queueDepth = LoadShape.depth
    configuration.queueCount = 1
    // Keep alive commands are not I/O: they would come at any time.
    configuration.keepAliveTimeoutMilliseconds = 0
    let controller = Controller(
      transport: MemoryTransport(controllerIdentifier: controllerIdentifier), configuration: configuration,
      home: reactor.handle)
    controller.connect()
    let limit = MonotonicClock.nanoseconds() + 60_000_000_000
    _ = reactor.turn(untilNanoseconds: limit) { controller.condition == .connecting }
    guard case .ready = controller.condition else {
      throw GateError("cannot connect by the memory transport: \(controller.condition)")
    }
    return controller
  }

  deinit { completions.deallocate() }

  func doRound() throws {
    for slot in 0..<LoadShape.depth {
      let vector = memory.vectors[slot]
      let request = BlockRequest(
        shape.operation, logicalBlockAddress: UInt64(slot * shape.blockCount), blockCount: UInt32(shape.blockCount),
        buffer: UnsafeMutableRawBufferPointer(start: vector.base, count: vector.count), token: UInt64(slot))
      let answer = channels[slot % channels.count].submit(request)
      guard answer == .accepted else { throw GateError("a request was not accepted: \(answer)") }
    }
    var count = 0
    // All that a turn does without the kernel: nothing is in the ring.
    while count < LoadShape.depth {
      guard reactor.turn(.none) > 0 else { throw GateError("a turn has brought nothing") }
      for channel in channels {
        let polled = channel.poll(into: completions)
        for index in 0..<polled where !completions[index].isSuccess {
          throw GateError("a request has failed: \(completions[index].outcome)")
        }
        count += polled
      }
    }
  }

  func verify() throws { try memory.verify() }
}
