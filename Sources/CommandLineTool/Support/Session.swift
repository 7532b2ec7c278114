import BlockDevice

/// A reactor thread, and the controllers connected on it for the time of one command.
struct Session {
  let thread: ReactorThread
  private let host: HostOptions
  private var controllers: [Controller] = []

  init(host: HostOptions) throws(ToolError) {
    self.host = host
    do throws(RingError) { thread = try ReactorThread(name: "nvmeof") } catch { throw .local("\(error)") }
  }

  /// Connects to a subsystem, or to a discovery service.
  ///
  /// - Parameter leastQueueDepth: what the command would like to have outstanding, where the user says nothing.
  mutating func connect(
    _ target: TargetIdentifier, isDiscovery: Bool = false, leastQueueDepth: Int = 0
  ) async throws(ToolError) -> Controller {
    var configuration = try host.configuration(for: target, leastQueueDepth: leastQueueDepth)
    configuration.isDiscovery = isDiscovery
    let controller = Controller(
      transport: try host.transport(for: target), configuration: configuration, home: thread.handle)
    controller.connect()
    do throws(ControllerError) {
      try await controller.ready()
    } catch { throw ToolError(error, target: target.hostAndPort) }
    controllers.append(controller)
    return controller
  }

  /// Takes a controller out, and ends its association in good order.
  mutating func disconnect(_ controller: Controller) async {
    controllers.removeAll { $0 === controller }
    await controller.disconnect()
  }

  /// Ends all associations in good order, and the thread.
  mutating func end() async {
    for controller in controllers { await controller.disconnect() }
    controllers = []
    thread.stop()
  }

  /// Runs `body` with a session that ends with it.
  static func run<Value>(
    host: HostOptions, _ body: (inout Session) async throws -> Value
  ) async throws -> Value {
    var session = try Session(host: host)
    do {
      let value = try await body(&session)
      await session.end()
      return value
    } catch {
      await session.end()
      throw error
    }
  }

  /// Runs `body` with one controller.
  static func run<Value>(
    host: HostOptions, target: TargetIdentifier, _ body: (Controller) async throws -> Value
  ) async throws -> Value {
    try await run(host: host) { session in
      try await body(try await session.connect(target, isDiscovery: target.isDiscovery))
    }
  }
}

extension Controller {
  /// The namespace that is meant: the one given, or the only one.
  ///
  /// - Throws: ``ToolError`` of kind usage that lists what there is.
  func namespaceIdentifier(_ given: UInt32?) throws(ToolError) -> UInt32 {
    let there = snapshot.namespaces.keys.sorted()
    let list = there.isEmpty ? "none" : there.prefix(32).map(String.init).joined(separator: ", ")
    if let given {
      guard there.contains(given) || snapshot.isNamespaceListTruncated else {
        throw ToolError(.deviceError, "there is no namespace \(given); there are: \(list)")
      }
      return given
    }
    if there.count == 1 { return there[0] }
    if there.isEmpty { throw ToolError(.deviceError, "the subsystem shows this host no namespaces") }
    throw .usage("which namespace? Give --namespace-id, or ?nsid= in the target; there are: \(list)")
  }

  /// The block device of a namespace.
  func device(_ given: UInt32?) throws(ToolError) -> NVMeBlockDevice {
    let identifier = try namespaceIdentifier(given)
    guard let device = blockDevice(namespaceIdentifier: identifier) else {
      let reason = snapshot.namespaces[identifier]?.unusableReason ?? "it is gone"
      throw ToolError(.deviceError, "namespace \(identifier) cannot be used: \(reason)")
    }
    return device
  }

  /// Sends an admin command that has to succeed.
  func require(
    _ what: String, _ command: SubmissionQueueEntry, dataInByteCount: Int = 0
  ) async throws(ToolError) -> AdminReply {
    let reply: AdminReply
    do throws(ControllerError) {
      reply = try await admin(command, dataInByteCount: dataInByteCount)
    } catch { throw ToolError(error, target: what) }
    guard reply.status.isSuccess else {
      throw ToolError(.deviceError, "\(what) was answered with an error: \(reply.status)")
    }
    return reply
  }
}
