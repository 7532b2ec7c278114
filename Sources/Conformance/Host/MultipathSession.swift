internal import BlockDevice

/// A host of the library under test with a path over each of the target's two ports.
struct MultipathSession: Sendable {
  let device: MultipathBlockDevice
  let controllers: [Controller]

  /// Connects, runs `body`, and takes everything down again whatever happens.
  static func with(
    _ context: ConformanceContext, recovery: RecoveryTimers, configuration: MultipathConfiguration,
    keepAliveTimeoutMilliseconds: UInt32 = 1000, waitsForAllPaths: Bool = true,
    _ body: (MultipathSession) async throws -> Void
  ) async throws {
    guard let second = context.target.secondPort else { throw ConformanceSkip("needs a second port") }
    var host = ControllerConfiguration(
      subsystemNQN: context.target.subsystemNQN, hostNQN: context.target.identity.hostNQN,
      hostIdentifier: context.target.identity.hostIdentifier)
    host.recovery = recovery
    host.retriesFirstConnect = recovery.reconnects
    host.keepAliveTimeoutMilliseconds = keepAliveTimeoutMilliseconds
    host.connectTimeoutMilliseconds = 3000
    host.shutdownTimeoutMilliseconds = 3000
    let thread = try ReactorThread(name: "conformance")
    let device = MultipathBlockDevice(
      subsystemNQN: host.subsystemNQN, namespaceIdentifier: context.target.namespaceIdentifiers.first ?? 1,
      configuration: configuration, reactor: thread.handle)
    var controllers: [Controller] = []
    for port in [context.target.port, second] {
      controllers.append(
        Controller(
          transport: TCPTransport(host: context.target.host, port: port), configuration: host, home: thread.handle))
    }
    let session = MultipathSession(device: device, controllers: controllers)
    let result = await Result.catching {
      for controller in controllers {
        controller.connect()
        try device.addPath(controller)
      }
      try await session.wait(for: "the paths") {
        let usable = device.snapshot.paths.count { $0.isAccessible }
        return waitsForAllPaths ? usable == 2 : usable > 0
      }
      try await body(session)
    }
    let statistics = device.snapshot.statistics
    context.notes.add(
      "\(statistics.failoverCount) failovers, \(statistics.retryCount) retries, \(statistics.holdCount) held, "
        + "\(statistics.fenceCount) fenced; longest stall "
        + "\(Duration.nanoseconds(Int64(clamping: statistics.longestStallNanoseconds)))")
    for controller in controllers { await controller.disconnect() }
    try? await offPool { thread.stop() }
    try result.get()
  }

  /// Waits until `condition` holds, however the news of it travels.
  func wait(for what: String, within limit: Duration = .seconds(40), until condition: () -> Bool) async throws {
    let deadline = ContinuousClock.now + limit
    while !condition() {
      guard ContinuousClock.now < deadline else {
        let paths = device.snapshot.paths.map { "\($0.address): \($0.state), \($0.availability)" }
        throw ConformanceFailure("\(what) did not come within \(limit); the paths: \(paths)")
      }
      try await Task.sleep(for: .milliseconds(20))
    }
  }
}
