internal import BlockDevice
package import JSONRPC
internal import Glibc

extension ControllerRegistry {
  /// Begins to watch a discovery service, and to attach what it names.
  ///
  /// - Throws: -17 when there is one of the name or at the address; -110 when attaching took too long, and nothing of it
  ///   is left then; -108 when the daemon ends.
  package func startDiscovery(_ request: DiscoveryRequest) async throws(RPCError) {
    guard !isStopped else { throw .system(ESHUTDOWN) }
    let isTaken = discoveries.contains {
      $0.name == request.name || $0.services.contains(request.address)
        || $0.request.address.isSameWay(as: request.address)
    }
    if isTaken { throw .system(EEXIST) }
    let service = try makeService(request)
    add(service)
    let observer = service.discovery.addObserver { [weak self, weak service] event in
      switch event {
      case .attach, .detach, .serviceConnected:
        guard let self, let service else { return }
        assumeIsolated { $0.reconcile(service) }
      default: break
      }
    }
    service.setObserver(observer)
    service.discovery.start()
    if request.waitsForAttach { try await waitForAttach(service) }
  }

  private func makeService(_ request: DiscoveryRequest) throws(RPCError) -> DiscoveryService {
    var target = TargetIdentifier(host: request.address.host, port: try request.address.port())
    target.subsystemNQN = request.address.subsystemNQN
    _ = try request.timers.recoveryTimers()
    let options = options
    var configuration = PersistentDiscoveryConfiguration()
    configuration.retriesFirstConnect = true
    configuration.shutdownTimeoutMilliseconds = Self.shutdownTimeoutMilliseconds
    if options.tcpConnectTimeoutMilliseconds > 0 {
      configuration.connectTimeoutMilliseconds = options.tcpConnectTimeoutMilliseconds
    }
    var tcp = TCPTransportOptions()
    options.apply(to: &tcp)
    let discovery = PersistentDiscovery(
      target: target, identity: HostIdentity(hostNQN: request.hostNQN, hostIdentifier: request.hostIdentifier),
      configuration: configuration, home: control
    ) { [tcp] in TCPTransport(host: $0.host, port: $0.port, options: tcp) }
    return DiscoveryService(request, discovery: discovery)
  }

  private func waitForAttach(_ service: DiscoveryService) async throws(RPCError) {
    let milliseconds = service.request.attachTimeoutMilliseconds
    let timer = Task {
      guard milliseconds > 0, (try? await Task.sleep(for: .milliseconds(Int64(clamping: milliseconds)))) != nil else {
        return
      }
      service.hasTimedOut = true
      // Whoever waits is told by it.
      try? await self.stopDiscovery(service.name)
    }
    defer { timer.cancel() }
    try? await service.discovery.ready()
    if !service.isStopping { reconcile(service) }
    for task in service.takeAttaching() { await task.value }
    if service.hasTimedOut {
      await timer.value
      throw .system(ETIMEDOUT)
    }
    // Stopped by somebody else.
    if service.isStopping { throw .system(ECANCELED) }
  }

  /// - Throws: -2 for a name that there is not; -114 when it is being stopped already.
  package func stopDiscovery(_ name: String) async throws(RPCError) {
    guard let service = discoveries.first(where: { $0.name == name }) else { throw .system(ENOENT) }
    guard let observer = service.beginStop() else { throw .system(EALREADY) }
    service.discovery.removeObserver(observer)
    await service.discovery.stop()
    var filter = PathFilter()
    filter.discoverer = service.name
    await withTaskGroup(of: Void.self) { [filter] group in
      for name in Set(service.paths.values) { group.addTask { await self.letGo(name, filter) } }
    }
    for task in service.takeAttaching() { await task.value }
    remove(service)
    reconcileOthers(than: service)
  }

  /// What one service has attached is refused to the others that name it, too, until it is let go.
  private func reconcileOthers(than service: DiscoveryService) {
    for other in discoveries where other !== service { reconcile(other) }
  }

  /// Attaches what is new, and detaches what is named no more.
  private func reconcile(_ service: DiscoveryService) {
    guard !service.isStopping, !isStopped else { return }
    let wanted = service.discovery.snapshot.paths
    let present = service.paths
    for path in wanted where !service.has(path) {
      let nqn = path.target.subsystemNQN
      let name =
        discoveries.lazy.compactMap { $0.name(ofSubsystem: nqn) }.first ?? service.makeName()
      service.add(path, name: name)
      var request = AttachRequest(
        name: name, address: TransportAddress(path.target), hostNQN: service.request.hostNQN,
        hostIdentifier: service.request.hostIdentifier)
      request.controllerIdentifier = path.controllerIdentifier
      request.timers = service.request.timers
      request.multipath = service.request.multipath
      request.discoverer = service.name
      service.addAttaching(
        Task { [request] in
          // Not what has gone from the log, or the service with it, before its turn came.
          let isAttached = await self.attachDiscovered(request) { !service.isStopping && service.paths[path] == name }
          if !isAttached { service.noteLoss(of: path) }
        })
    }
    for path in present.keys where !wanted.contains(path) {
      guard let name = service.remove(path) else { continue }
      Task {
        await self.letGo(name, Self.filter(path, of: service))
        self.reconcileOthers(than: service)
      }
    }
  }

  /// A controller that discovery had found has been given up. What is named still is attached anew when its service has been
  /// connected again, or after a while.
  func lost(_ request: AttachRequest) {
    for service in discoveries where !service.isStopping {
      let paths = service.paths.keys.filter {
        TransportAddress($0.target) == request.address && $0.controllerIdentifier == request.controllerIdentifier
      }
      if paths.isEmpty { continue }
      for path in paths { service.noteLoss(of: path) }
      Task {
        try? await Task.sleep(for: .seconds(Self.reattachSeconds))
        reconcile(service)
      }
    }
  }

  private static let reattachSeconds = 10.0

  private static func filter(_ path: DiscoveryPath, of service: DiscoveryService) -> PathFilter {
    var filter = PathFilter()
    filter.discoverer = service.name
    let address = TransportAddress(path.target)
    filter.host = address.host
    filter.serviceIdentifier = address.serviceIdentifier
    filter.subsystemNQN = address.subsystemNQN
    return filter
  }
}
