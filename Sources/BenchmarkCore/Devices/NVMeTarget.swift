internal import BlockDevice

/// A namespace over the network. Every connection of a job is an association of its own, whose queues live on the job's
/// reactor: no thread touches another's queue, and numjobs adds connections as it adds load.
struct NVMeTarget: Sendable {
  let identifier: TargetIdentifier
  private let identity: HostIdentity

  /// A controller may take its connection's timeouts and CAP.TO to come up.
  static let readyLimit: UInt64 = 60_000_000_000
  private static let closeLimit: UInt64 = 15_000_000_000

  init(_ identifier: TargetIdentifier, identity: HostIdentity) {
    self.identifier = identifier
    self.identity = identity
  }

  /// The address that the target was named by.
  var address: PathAddress { PathAddress(host: identifier.host, port: identifier.port) }

  /// Connects on `reactor`, whose thread this is. `depth` is the queue depth wished for.
  func connect(on reactor: Reactor, depth: Int, paths: PathOptions) throws -> AttachedDevice {
    guard paths.isWanted else { return try connect(on: reactor, depth: depth) }
    return try PathSet(self, options: paths, depth: depth, on: reactor).attach()
  }

  /// A controller at one address of the subsystem, not connected yet.
  func controller(
    at address: PathAddress, depth: Int, on reactor: Reactor,
    configure: (inout ControllerConfiguration) -> Void = { _ in }
  ) -> Controller {
    var options = TCPTransportOptions()
    options.headerDigest = identifier.headerDigest
    options.dataDigest = identifier.dataDigest
    var configuration = ControllerConfiguration(
      subsystemNQN: identifier.subsystemNQN, hostNQN: identity.hostNQN, hostIdentifier: identity.hostIdentifier)
    configuration.queueCount = 1
    configuration.queueDepth = identifier.queueDepth ?? min(max(depth, 2), 4095)
    if let milliseconds = identifier.keepAliveTimeoutMilliseconds {
      configuration.keepAliveTimeoutMilliseconds = milliseconds
    }
    configure(&configuration)
    return Controller(
      transport: TCPTransport(host: address.host, port: address.port, options: options), configuration: configuration,
      home: reactor.handle)
  }

  /// One connection, whose loss is final.
  private func connect(on reactor: Reactor, depth: Int) throws -> AttachedDevice {
    let controller = controller(at: address, depth: depth, on: reactor)
    controller.connect()
    let isSettled = reactor.turn(untilNanoseconds: MonotonicClock.nanoseconds() + Self.readyLimit) {
      switch controller.condition {
      case .idle, .connecting: true
      case .ready, .closing, .closed: false
      }
    }
    guard isSettled, case .ready = controller.condition else {
      if case .closed(let error?) = controller.condition {
        throw TargetOpener.Failure(description: "\(address): \(error)")
      }
      disconnect([controller], reactor)
      throw TargetOpener.Failure(description: "\(address): the controller did not become ready within 60 s")
    }
    let found: NVMeBlockDevice?
    if let namespace = identifier.namespaceIdentifier {
      found = controller.blockDevice(namespaceIdentifier: namespace)
    } else {
      found = controller.blockDevices().first
    }
    guard let device = found else {
      let reason = problem(controller)
      disconnect([controller], reactor)
      throw TargetOpener.Failure(description: "\(address), \(identifier.subsystemNQN): \(reason)")
    }
    return AttachedDevice(
      device: device, detach: { disconnect([controller], $0) }, notes: depthNote(controller, depth).map { [$0] } ?? [])
  }

  /// What readers must know of a controller with smaller queues than the job is deep; nil if it has not.
  func depthNote(_ controller: Controller, _ depth: Int) -> String? {
    let granted = controller.snapshot.queueDepth
    guard granted < depth else { return nil }
    return
      "\(identifier.subsystemNQN) takes \(granted) commands on a queue; iodepth=\(depth) waits in the host beyond that"
  }

  /// Why a controller that is ready has not the namespace.
  func problem(_ controller: Controller) -> String {
    let namespaces = controller.snapshot.namespaces
    guard let wanted = identifier.namespaceIdentifier else { return "it has no namespace that can be used" }
    if let reason = namespaces[wanted]?.unusableReason { return "namespace \(wanted): \(reason)" }
    let known = namespaces.keys.sorted().map(String.init).joined(separator: ", ")
    return "there is no namespace \(wanted)" + (known.isEmpty ? "" : "; there are: \(known)")
  }

  /// Ends whatever there is of the controllers, attempts to connect included.
  func disconnect(_ controllers: [Controller], _ reactor: Reactor) {
    for controller in controllers { controller.shutdown() }
    _ = reactor.turn(untilNanoseconds: MonotonicClock.nanoseconds() + Self.closeLimit) {
      controllers.contains { controller in
        switch controller.condition {
        case .idle, .closed: false
        case .connecting, .ready, .closing: true
        }
      }
    }
  }
}
