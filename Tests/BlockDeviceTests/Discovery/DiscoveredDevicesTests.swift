import BlockDevice
import EmbeddedTarget
import Synchronization
import TestSupport
import Testing

@Suite(.timeLimit(.minutes(2))) struct DiscoveredDevicesTests {
  private func devices(_ bed: DiscoveryBed, controllerLossTimeoutMilliseconds: Int64 = -1) throws -> DiscoveredDevices {
    let home = bed.thread.handle
    let recovery = try RecoveryTimers(
      reconnectDelayMilliseconds: 50, controllerLossTimeoutMilliseconds: controllerLossTimeoutMilliseconds)
    return DiscoveredDevices(discovery: bed.discovery, reactor: home) { path in
      var configuration = ControllerConfiguration(
        subsystemNQN: path.target.subsystemNQN, hostNQN: TestBed.hostNQN,
        hostIdentifier: DiscoveryBed.identity.hostIdentifier)
      configuration.controllerIdentifier = path.controllerIdentifier
      configuration.recovery = recovery
      configuration.retriesFirstConnect = true
      configuration.keepAliveTimeoutMilliseconds = 5000
      return Controller(
        transport: TCPTransport(host: path.target.host, port: path.target.port), configuration: configuration,
        home: home)
    }
  }

  @Test func devicesAndTheirPathsFollowTheLog() async throws {
    let bed = try await DiscoveryBed()
    let devices = try devices(bed)
    let removed = Mutex<[String]>([])
    _ = devices.addObserver { event in
      if case .deviceRemoved(let device) = event { removed.withLock { $0.append(device.name) } }
    }
    bed.discovery.start()
    try await bed.discovery.ready()
    await devices.settled()
    let device = try #require(devices.devices.first)
    #expect(devices.devices.count == 1 && device.snapshot.paths.count == 1)
    let written = pattern(4096, seed: 1)
    try await device.write(at: 0, written)
    // A second port is a second path of the same device; the first one goes, with the data in use.
    let second = try await bed.target.addPort()
    try await eventually { device.snapshot.paths.count { $0.isAccessible } == 2 }
    #expect(devices.devices.count == 1)
    try await bed.target.addSubsystem(SubsystemConfiguration(nqn: "nqn.x:2", namespace: .memory(byteCount: 1 << 20)))
    try await eventually { devices.devices.count == 2 }
    try await bed.target.addNamespace(2, .memory(byteCount: 1 << 20), to: DiscoveryBed.nqn)
    try await eventually { devices.devices.count == 3 }
    #expect(devices.devices.allSatisfy { $0.snapshot.paths.count == 2 })
    #expect(try await device.read(at: 0, blockCount: UInt32(4096 / device.geometry.blockByteCount)) == written)
    try await bed.target.removeSubsystem("nqn.x:2")
    try await eventually { removed.withLock { $0 } == ["nqn.x:2/1"] }
    _ = second
    await devices.stop()
    #expect(devices.devices.isEmpty && device.snapshot.paths.isEmpty)
    #expect(try await bed.end() <= 2)
  }

  @Test func whatIsGivenUpComesBackWithItsService() async throws {
    let bed = try await DiscoveryBed()
    let devices = try devices(bed, controllerLossTimeoutMilliseconds: 100)
    let seen = Mutex<[Bool]>([])
    _ = devices.addObserver { event in
      switch event {
      case .pathAttached: seen.withLock { $0.append(true) }
      case .pathDetached: seen.withLock { $0.append(false) }
      default: break
      }
    }
    bed.discovery.start()
    try await bed.discovery.ready()
    await devices.settled()
    #expect(devices.devices.count == 1)
    try await bed.target.removePort(bed.port.identifier)
    try await eventually { devices.devices.isEmpty }
    await devices.settled()
    try await bed.target.addPort(PortConfiguration(port: bed.port.port, identifier: bed.port.identifier))
    try await eventually { devices.devices.count == 1 }
    _ = try await devices.devices[0].read(at: 0, blockCount: 1)
    #expect(seen.withLock { $0 } == [true, false, true])
    await devices.stop()
    #expect(try await bed.end() <= 2)
  }

  @Test func aLostDiscoveryServiceLeavesDevicesAlone() async throws {
    let bed = try await DiscoveryBed()
    let second = try await bed.target.addPort()
    let devices = try devices(bed)
    bed.discovery.start()
    try await bed.discovery.ready()
    await devices.settled()
    let device = try #require(devices.devices.first)
    try await eventually { device.snapshot.paths.count { $0.isAccessible } == 2 }
    // The port that the discovery service answers on goes, and a path with it, which is kept and tried again.
    try await bed.target.removePort(bed.port.identifier)
    try await eventually { bed.discovery.snapshot.services.first?.isConnected == false }
    try await device.write(at: 8, pattern(4096, seed: 2))
    #expect(device.snapshot.paths.count == 2)
    try await bed.target.addPort(PortConfiguration(port: bed.port.port, identifier: bed.port.identifier))
    try await eventually { device.snapshot.paths.count { $0.isAccessible } == 2 }
    // This time the log says so.
    try await bed.target.removePort(second.identifier)
    try await eventually { device.snapshot.paths.count == 1 }
    #expect(
      try await device.read(at: 8, blockCount: UInt32(4096 / device.geometry.blockByteCount)) == pattern(4096, seed: 2))
    await devices.stop()
    #expect(try await bed.end() <= 2)
  }
}
