internal import BlockDevice
internal import Synchronization

/// A host of the library under test with a path over each of the target's two ports.
struct MultipathSession: Sendable {
  struct Options: Sendable {
    var recovery = RecoveryTimers.standard
    var policy = MultipathPolicy.activePassive
    var keepAliveTimeoutMilliseconds: UInt32 = 1000
    /// Of each controller, all on the session's one reactor.
    var queueCount = 1
    /// Else one path is enough to begin with.
    var waitsForAllPaths = true
    /// The namespace that outlives a restart of the target, else the first one under test.
    var usesLastingNamespace = false

    func namespaceIdentifier(_ context: ConformanceContext) throws -> UInt32 {
      usesLastingNamespace ? try context.requireControl().lastingNamespaceIdentifier : context.firstNamespace
    }
  }

  let device: MultipathBlockDevice
  let controllers: [Controller]

  /// Connects, runs `body`, and takes everything down again whatever happens.
  static func with(
    _ context: ConformanceContext, _ options: Options, _ body: (MultipathSession) async throws -> Void
  ) async throws {
    guard let second = context.target.secondPort else { throw ConformanceSkip("needs a second port") }
    var host = ControllerConfiguration(
      subsystemNQN: context.target.subsystemNQN, hostNQN: context.target.identity.hostNQN,
      hostIdentifier: context.target.identity.hostIdentifier)
    host.recovery = options.recovery
    host.retriesFirstConnect = options.recovery.reconnects
    host.keepAliveTimeoutMilliseconds = options.keepAliveTimeoutMilliseconds
    host.queueCount = options.queueCount
    host.connectTimeoutMilliseconds = 3000
    host.shutdownTimeoutMilliseconds = 3000
    var configuration = MultipathConfiguration()
    configuration.policy = options.policy
    let thread = try ReactorThread(name: "conformance")
    let device = MultipathBlockDevice(
      subsystemNQN: host.subsystemNQN, namespaceIdentifier: try options.namespaceIdentifier(context),
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
        return options.waitsForAllPaths ? usable == 2 : usable > 0
      }
      try await body(session)
    }
    for controller in controllers { await controller.disconnect() }
    try? await offPool { thread.stop() }
    try result.get()
  }

  /// The paths over the first and the second port.
  var paths: [MultipathSnapshot.Path] { device.snapshot.paths }

  /// A namespace's state through the first or the second port, as the host knows it.
  func anaState(isSecond: Bool, _ namespace: UInt32) -> ANAState {
    controllers[isSecond ? 1 : 0].snapshot.anaState(ofNamespace: namespace)
  }

  /// The log as the target has it now, whatever the host has been told.
  func readANALog(isSecond: Bool) async throws -> ANALog {
    let controller = controllers[isSecond ? 1 : 0]
    let isRead = Mutex(false)
    let observer = controller.addObserver { if $0 == .anaChanged { isRead.withLock { $0 = true } } }
    defer { controller.removeObserver(observer) }
    controller.refreshANALog()
    try await wait(for: "the ANA log") { isRead.withLock { $0 } }
    guard let log = controller.snapshot.anaLog else { throw ConformanceFailure("the target has no ANA log any more") }
    return log
  }

  /// Waits until `condition` holds, however the news of it travels.
  func wait(for what: String, within limit: Duration = .seconds(40), until condition: () -> Bool) async throws {
    let deadline = ContinuousClock.now + limit
    while !condition() {
      guard ContinuousClock.now < deadline else {
        let paths = paths.map { "\($0.address): \($0.state), \($0.availability)" }
        throw ConformanceFailure("\(what) did not come within \(limit); the paths: \(paths)")
      }
      try await Task.sleep(for: .milliseconds(20))
    }
  }

  func waitForAllPaths(within limit: Duration = .seconds(40)) async throws {
    try await wait(for: "the paths' return", within: limit) { paths.allSatisfy { $0.isAccessible } }
  }
}
