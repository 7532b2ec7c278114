internal import BlockDevice

/// A host of the library under test, connected to the target, for the length of a case.
struct HostSession: Sendable {
  let controller: Controller
  let reactors: [ReactorThread]

  /// Connects, runs `body`, and takes everything down again whatever happens.
  static func with(
    _ context: ConformanceContext, _ options: HostOptions = HostOptions(),
    _ body: (HostSession) async throws -> Void
  ) async throws {
    var transport = TCPTransport(host: context.target.host, port: context.target.port)
    transport.options.headerDigest = options.headerDigest
    transport.options.dataDigest = options.dataDigest
    var configuration = ControllerConfiguration(
      subsystemNQN: options.subsystemNQN ?? context.target.subsystemNQN, hostNQN: context.target.identity.hostNQN,
      hostIdentifier: context.target.identity.hostIdentifier)
    configuration.isDiscovery = options.isDiscovery
    configuration.queueCount = options.queueCount
    configuration.queueDepth = options.queueDepth
    configuration.keepAliveTimeoutMilliseconds = options.keepAliveTimeoutMilliseconds
    configuration.ioTimeoutMilliseconds = options.ioTimeoutMilliseconds
    var reactors: [ReactorThread] = []
    for _ in 0..<options.reactorCount { reactors.append(try ReactorThread(name: "conformance")) }
    let handles = reactors.map(\.handle)
    let session = HostSession(
      controller: Controller(
        transport: transport, configuration: configuration, home: handles[0], queueReactors: handles),
      reactors: reactors)
    let result = await Result.catching {
      session.controller.connect()
      try await session.controller.ready()
      try await body(session)
    }
    await session.controller.disconnect()
    try? await offPool { for reactor in session.reactors { reactor.stop() } }
    try result.get()
  }

  /// The block device of a namespace.
  func device(_ identifier: UInt32) throws -> NVMeBlockDevice {
    guard let device = controller.blockDevice(namespaceIdentifier: identifier) else {
      let reason = controller.snapshot.namespaces[identifier]?.unusableReason ?? "it is not active"
      throw ConformanceFailure("namespace \(identifier) cannot be used: \(reason)")
    }
    return device
  }

  /// Fails the case unless the controller is ready.
  func expectReady() throws(ConformanceFailure) {
    if case .closed(let error?) = controller.condition { throw ConformanceFailure("the association ended: \(error)") }
    try expectEqual(controller.condition, .ready, "the controller's condition")
  }

  /// Waits until `condition` holds, however the news of it travels.
  func wait(
    for what: String, within limit: Duration = .seconds(20), until condition: () throws -> Bool
  ) async throws {
    let deadline = ContinuousClock.now + limit
    while try !condition() {
      guard ContinuousClock.now < deadline else { throw ConformanceFailure("\(what) did not come within \(limit)") }
      try await Task.sleep(for: .milliseconds(20))
    }
  }
}
