import BlockDevice
import EmbeddedTarget

/// A target with one subsystem behind several ports, a controller for each port, and a multipath device over them.
final class MultipathBed: Sendable {
  static let nqn = TestBed.nqn

  let target: EmbeddedTarget
  let ports: [EmbeddedTarget.Port]
  let thread: ReactorThread
  let controllers: [Controller]
  let device: MultipathBlockDevice

  init(
    ports count: Int = 2, namespaces: [UInt32: NamespaceConfiguration] = [1: .memory(byteCount: 1 << 22)],
    multipath configuration: MultipathConfiguration = MultipathConfiguration(), queueReactors: [ReactorHandle] = [],
    host tune: (inout ControllerConfiguration) throws -> Void = { _ in }
  ) async throws {
    target = try await EmbeddedTarget.start()
    var subsystem = SubsystemConfiguration(nqn: Self.nqn)
    subsystem.namespaces = namespaces
    try await target.addSubsystem(subsystem)
    var ports: [EmbeddedTarget.Port] = []
    for _ in 0..<count { ports.append(try await target.addPort()) }
    self.ports = ports
    thread = try ReactorThread()
    var host = ControllerConfiguration(
      subsystemNQN: Self.nqn, hostNQN: TestBed.hostNQN, hostIdentifier: Identifier128(high: 0x7f2d, low: 0x5ac2))
    host.connectTimeoutMilliseconds = 5000
    host.adminTimeoutMilliseconds = 5000
    // The fence of writes of unknown outcome is 3 × 300 ms and another 300 ms.
    host.keepAliveTimeoutMilliseconds = 300
    host.recovery = try RecoveryTimers(reconnectDelayMilliseconds: 50, controllerLossTimeoutMilliseconds: -1)
    try tune(&host)
    let (hostConfiguration, home) = (host, thread.handle)
    controllers = ports.map {
      Controller(
        transport: TCPTransport(host: "127.0.0.1", port: $0.port), configuration: hostConfiguration, home: home,
        queueReactors: queueReactors)
    }
    device = MultipathBlockDevice(
      subsystemNQN: Self.nqn, namespaceIdentifier: 1, configuration: configuration, reactor: home)
  }

  /// Connects all controllers and makes them paths.
  func attach() async throws {
    for controller in controllers {
      controller.connect()
      try await controller.ready()
      try device.addPath(controller)
    }
  }

  /// Ends all of it.
  ///
  /// - Returns: sources left on the host's reactor but for the `async` face's two; 0 is right.
  func end() async throws -> Int {
    for path in device.snapshot.paths { device.removePath(path.identifier) }
    for controller in controllers { await controller.disconnect() }
    // Those of a connection that was lost shortly before leave when the kernel has given their sockets back.
    var left = try await thread.handle.perform { $0.sourceCount }
    let end = ContinuousClock.now + .seconds(10)
    while left > 2, ContinuousClock.now < end {
      try await Task.sleep(for: .milliseconds(5))
      left = try await thread.handle.perform { $0.sourceCount }
    }
    await target.stop()
    thread.stop()
    return left
  }
}
