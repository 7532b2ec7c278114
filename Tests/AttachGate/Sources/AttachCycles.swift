import BlockDevice
import EmbeddedTarget

/// Controllers that are attached and detached in all the ways that users may come up with, beside a device that is in use
/// all the time.
struct AttachCycles {
  static let nqn = "nqn.2026-11.io.swift-nvmeof:attach"

  let target: EmbeddedTarget
  let port: EmbeddedTarget.Port
  let home: ReactorThread
  let other: ReactorThread
  /// Only this way; nil: all of them in turn.
  let way: Int?
  static let wayCount = 9

  init(way: Int?) async throws {
    self.way = way
    target = try await EmbeddedTarget.start()
    try await target.addSubsystem(SubsystemConfiguration(nqn: Self.nqn, namespace: .memory(byteCount: 1 << 20)))
    port = try await target.addPort()
    home = try ReactorThread(name: "home")
    other = try ReactorThread(name: "other")
  }

  func end() async {
    await target.stop()
    home.stop()
    other.stop()
  }

  var reactors: [ReactorHandle] { [home.handle, other.handle] }

  func makeController(_ cycle: Int) throws -> Controller {
    var configuration = ControllerConfiguration(
      subsystemNQN: Self.nqn, hostNQN: "nqn.2014-08.org.nvmexpress:uuid:7f2d5ac2-4c3a-4f0e-9c66-0c6a1e7f3b10",
      hostIdentifier: Identifier128(high: 0x7f2d, low: 0x5ac2))
    configuration.queueCount = 2
    configuration.keepAliveTimeoutMilliseconds = 300
    if cycle % 2 == 0 {
      configuration.recovery = try RecoveryTimers(
        reconnectDelayMilliseconds: 10, controllerLossTimeoutMilliseconds: 60_000)
    }
    return Controller(
      transport: TCPTransport(host: "127.0.0.1", port: port.port), configuration: configuration, home: home.handle,
      queueReactors: reactors)
  }

  /// Cycles with a load beside them.
  func run(_ cycles: Range<Int>) async throws {
    let steady = try makeController(0)
    let device = MultipathBlockDevice(subsystemNQN: Self.nqn, namespaceIdentifier: 1, reactor: home.handle)
    steady.connect()
    try await steady.ready()
    try device.addPath(steady)
    let done = DoneFlag()
    try await withThrowingTaskGroup(of: Void.self) { group in
      for worker in 0..<2 {
        group.addTask {
          while !done.isSet {
            try await device.write(at: UInt64(worker * 8), [UInt8](repeating: UInt8(worker), count: 4096))
          }
        }
      }
      for cycle in cycles { try await self.cycle(cycle) }
      done.set()
      try await group.waitForAll()
    }
    await steady.delete()
  }

  private func cycle(_ number: Int) async throws {
    let controller = try makeController(number)
    switch way ?? number % Self.wayCount {
    case 0:
      // Detaching what is attaching.
      controller.connect()
      await controller.delete()
    case 1:
      // With I/O in flight, on a device and on a path of another.
      controller.connect()
      try await controller.ready()
      let device = MultipathBlockDevice(subsystemNQN: Self.nqn, namespaceIdentifier: 1, reactor: other.handle)
      try device.addPath(controller)
      guard let plain = controller.blockDevice(namespaceIdentifier: 1) else { throw GateError("no device") }
      await withTaskGroup(of: Void.self) { group in
        for index in 0..<4 {
          group.addTask { _ = try? await device.write(at: UInt64(64 + index), [UInt8](repeating: 1, count: 512)) }
          group.addTask { _ = try? await plain.read(at: UInt64(64 + index), blockCount: 1) }
        }
        group.addTask { await controller.delete() }
      }
    case 2:
      // Attaching twice, resetting what is resetting.
      controller.connect()
      controller.connect()
      try await controller.ready()
      await withTaskGroup(of: Void.self) { group in
        for _ in 0..<3 { group.addTask { _ = try? await controller.reset() } }
      }
      await controller.delete()
    case 3:
      // A path twice.
      controller.connect()
      try await controller.ready()
      let device = MultipathBlockDevice(subsystemNQN: Self.nqn, namespaceIdentifier: 1, reactor: home.handle)
      let path = try device.addPath(controller)
      do {
        try device.addPath(controller)
        throw GateError("the same controller was taken as a second path")
      } catch is MultipathPathError {}
      _ = try await device.read(at: 0, blockCount: 1)
      guard device.removePath(path), !device.removePath(path) else { throw GateError("a path was removed twice") }
      await controller.disconnect()
      await controller.delete()
    case 4:
      // Detaching twice, at once.
      controller.connect()
      await withTaskGroup(of: Void.self) { group in
        for _ in 0..<3 { group.addTask { await controller.delete() } }
      }
    case 5:
      // Disconnected, connected again, reset while connecting, and detached while resetting.
      controller.connect()
      try await controller.ready()
      controller.shutdown()
      controller.connect()
      await withTaskGroup(of: Void.self) { group in
        group.addTask { _ = try? await controller.reset() }
        group.addTask { await controller.delete() }
      }
      _ = try? await controller.reset()
    case 6:
      // Only disconnected, and let go of.
      controller.connect()
      try await controller.ready()
      _ = try await controller.blockDevice(namespaceIdentifier: 1)?.read(at: 0, blockCount: 8)
      await controller.disconnect()
    case 7:
      // Connections that the target ends, those of the load as well.
      controller.connect()
      try await controller.ready()
      _ = try await target.closeConnections(reset: number % 2 == 0)
      await controller.delete()
    default:
      // Discovery, stopped wherever it stands.
      let discovery = PersistentDiscovery(
        target: TargetIdentifier(host: "127.0.0.1", port: port.port),
        identity: HostIdentity(
          hostNQN: controller.configuration.hostNQN, hostIdentifier: controller.configuration.hostIdentifier),
        home: home.handle
      ) { TCPTransport(host: $0.host, port: $0.port) }
      let devices = DiscoveredDevices(discovery: discovery, reactor: home.handle) { _ in try? makeController(0) }
      discovery.start()
      if number % 2 == 0 {
        try await discovery.ready()
        await devices.settled()
      }
      await discovery.stop()
      await devices.stop()
    }
  }
}
