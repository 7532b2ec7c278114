internal import BlockDevice

/// One connection of a job over several paths: a controller for each address, all on the job's reactor, and the one device
/// they make.
struct PathSet {
  private let target: NVMeTarget
  private let depth: Int
  private let reactor: Reactor
  private let controllers: [Controller]
  private let configuration: MultipathConfiguration

  init(_ target: NVMeTarget, options: PathOptions, depth: Int, on reactor: Reactor) throws {
    if options.addresses.contains(target.address) {
      throw TargetOpener.Failure(description: "paths: \(target.address) is the target's own address; give others")
    }
    let timers = try options.timers()
    configuration = try options.configuration()
    self.target = target
    self.depth = depth
    self.reactor = reactor
    controllers = ([target.address] + options.addresses).map { address in
      target.controller(at: address, depth: depth, on: reactor) { configuration in
        configuration.recovery = timers
        // A path that is dead now may come later.
        configuration.retriesFirstConnect = timers.reconnects
      }
    }
  }

  /// Connects all paths; one that works is enough.
  func attach() throws -> AttachedDevice {
    do {
      for controller in controllers { controller.connect() }
      _ = reactor.turn(untilNanoseconds: MonotonicClock.nanoseconds() + NVMeTarget.readyLimit) {
        !controllers.allSatisfy(hasBeenTried)
      }
      let device = MultipathBlockDevice(
        subsystemNQN: target.identifier.subsystemNQN, namespaceIdentifier: try namespaceIdentifier(),
        configuration: configuration, reactor: reactor.handle)
      for controller in controllers { try device.addPath(controller) }
      return AttachedDevice(
        device: device, detach: { target.disconnect(controllers, $0) }, notes: notes(),
        pathReport: { [controllers] in PathReport(device.snapshot, controllers) })
    } catch {
      target.disconnect(controllers, reactor)
      throw error
    }
  }

  private func hasBeenTried(_ controller: Controller) -> Bool {
    let snapshot = controller.snapshot
    switch snapshot.state {
    case .enabled, .failed, .deleted: return true
    default: return snapshot.recovery.failedAttemptCount > 0
    }
  }

  /// The namespace wished for, or the first that any path has.
  private func namespaceIdentifier() throws -> UInt32 {
    let ready = controllers.filter { $0.snapshot.state == .enabled }
    guard let first = ready.first else {
      let reasons = controllers.map { "\($0.transport): \(trouble($0))" }.joined(separator: "; ")
      throw TargetOpener.Failure(description: "no path to \(target.identifier.subsystemNQN): \(reasons)")
    }
    let wanted = target.identifier.namespaceIdentifier
    for controller in ready {
      let usable = controller.snapshot.namespaces.filter { $0.value.unusableReason == nil }.keys
      if let found = wanted.map({ usable.contains($0) ? $0 : nil }) ?? usable.min() { return found }
    }
    throw TargetOpener.Failure(
      description: "\(first.transport), \(target.identifier.subsystemNQN): \(target.problem(first))")
  }

  private func trouble(_ controller: Controller) -> String {
    controller.snapshot.recovery.lastAttemptFailure?.description
      ?? "the controller did not become ready within 60 s"
  }

  private func notes() -> [String] {
    controllers.compactMap { controller in
      controller.snapshot.state == .enabled
        ? target.depthNote(controller, depth) : "path \(controller.transport) is down: \(trouble(controller))"
    }
  }
}
