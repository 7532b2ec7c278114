internal import BlockDevice

/// The target's discovery service, watched for the length of a case.
struct DiscoverySession: Sendable {
  let discovery: PersistentDiscovery
  private let lossCounter = Counter()

  /// Connections lost so far.
  var losses: Int { lossCounter.value }

  /// Connects, reads the log, runs `body`, and takes everything down again whatever happens.
  static func with(_ context: ConformanceContext, _ body: (DiscoverySession) async throws -> Void) async throws {
    var configuration = PersistentDiscoveryConfiguration()
    configuration.recovery = try RecoveryTimers(reconnectDelayMilliseconds: 200, controllerLossTimeoutMilliseconds: -1)
    // What is found out is found out by being told, not by asking now and then.
    configuration.pollMilliseconds = 0
    let reactor = try ReactorThread(name: "conformance")
    let session = DiscoverySession(
      discovery: PersistentDiscovery(
        target: TargetIdentifier(host: context.target.host, port: context.target.port),
        identity: context.target.identity, configuration: configuration, home: reactor.handle
      ) { TCPTransport(host: $0.host, port: $0.port) })
    let counter = session.lossCounter
    let observer = session.discovery.addObserver { event in
      if case .serviceLost = event { counter.increment() }
    }
    let result = await Result.catching {
      session.discovery.start()
      try await session.discovery.ready()
      try await body(session)
    }
    session.discovery.removeObserver(observer)
    await session.discovery.stop()
    try? await offPool { reactor.stop() }
    try result.get()
  }

  func offers(_ nqn: String) -> Bool { discovery.snapshot.paths.contains { $0.target.subsystemNQN == nqn } }

  /// Subsystems offered whose names begin with `prefix`.
  func count(_ prefix: String) -> Int {
    Set(discovery.snapshot.paths.map(\.target.subsystemNQN)).count { $0.hasPrefix(prefix) }
  }

  /// Waits until `condition` holds.
  func wait(for what: String, until condition: () -> Bool) async throws {
    let deadline = ContinuousClock.now + .seconds(20)
    while !condition() {
      guard ContinuousClock.now < deadline else { throw ConformanceFailure("\(what) did not show within 20 s") }
      try await Task.sleep(for: .milliseconds(20))
    }
  }
}
