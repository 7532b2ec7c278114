import BlockDevice
import EmbeddedTarget
import Synchronization

/// An embedded target with one subsystem behind one port, and a discovery that watches it.
final class DiscoveryBed: Sendable {
  static let nqn = TestBed.nqn
  static let identity = HostIdentity(
    hostNQN: TestBed.hostNQN, hostIdentifier: Identifier128(high: 0x7f2d, low: 0x5ac2))

  let target: EmbeddedTarget
  let port: EmbeddedTarget.Port
  let thread: ReactorThread
  let discovery: PersistentDiscovery
  private let seen = Mutex<[DiscoveryEvent]>([])

  init(
    target configure: (inout TargetConfiguration) -> Void = { _ in },
    discovery tune: (inout PersistentDiscoveryConfiguration) throws -> Void = { _ in }
  ) async throws {
    var targetConfiguration = TargetConfiguration()
    configure(&targetConfiguration)
    target = try await EmbeddedTarget.start(configuration: targetConfiguration)
    try await target.addSubsystem(SubsystemConfiguration(nqn: Self.nqn, namespace: .memory(byteCount: 1 << 22)))
    port = try await target.addPort()
    thread = try ReactorThread()
    var configuration = PersistentDiscoveryConfiguration()
    configuration.recovery = try RecoveryTimers(reconnectDelayMilliseconds: 50, controllerLossTimeoutMilliseconds: -1)
    // Nothing here may come of being asked now and then.
    configuration.pollMilliseconds = 0
    try tune(&configuration)
    discovery = PersistentDiscovery(
      target: TargetIdentifier(host: "127.0.0.1", port: port.port), identity: Self.identity,
      configuration: configuration, home: thread.handle
    ) { TCPTransport(host: $0.host, port: $0.port) }
    _ = discovery.addObserver { [weak self] event in self?.seen.withLock { $0.append(event) } }
  }

  var events: [DiscoveryEvent] { seen.withLock { $0 } }
  var pathNQNs: [String] { discovery.snapshot.paths.map(\.target.subsystemNQN) }

  /// - Returns: sources left on the host's reactor; 0 is right.
  func end() async throws -> Int {
    await discovery.stop()
    let left = try await thread.handle.perform { $0.sourceCount }
    await target.stop()
    thread.stop()
    return left
  }
}
