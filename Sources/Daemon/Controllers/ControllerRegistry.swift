package import BlockDevice
package import JSONRPC
package import Logging
import Synchronization
internal import Glibc

/// All attached controllers, by name, and what keeps the registry of devices true to them.
///
/// Attaching and detaching under one name happens one after the other, under different names side by side. It lives on the
/// control reactor, which no call blocks. What it has published (``sets``, ``options``, ``discoveries``) is read from any
/// thread at any time.
package actor ControllerRegistry {
  private struct Published {
    /// In the order of their first attach.
    var sets: [ControllerSet] = []
    var options = NVMeOptions()
    var discoveries: [DiscoveryService] = []
    var hotplug = HotplugSettings()
    var lossObserver: (@Sendable (AttachRequest) -> Void)?
  }

  package nonisolated let devices: DeviceRegistry
  package nonisolated let control: ReactorHandle
  /// What I/O queues live on.
  package nonisolated let reactors: [ReactorHandle]
  nonisolated let logger: Logger
  /// Who we are where a request does not say.
  package nonisolated let identity: HostIdentity
  /// How long a detach waits for an attach of the same name.
  private let detachPatience: Duration
  /// A detach ends within ten seconds in any case: this, and five for what does not close.
  static let shutdownTimeoutMilliseconds: UInt32 = 5000
  private let probationDelayMilliseconds: ClosedRange<UInt32>
  private nonisolated let published = Mutex(Published())
  private var lanes = SerialLanes()
  /// Ways that controllers are being connected by, beside those that are attached.
  private var pending: [(address: TransportAddress, hostNQN: String)] = []
  /// Controllers that are being connected and belong to no set yet.
  private var connecting: [ObjectIdentifier: Controller] = [:]
  private(set) var isStopped = false

  package nonisolated var unownedExecutor: UnownedSerialExecutor { control.asUnownedSerialExecutor() }

  package init(
    devices: DeviceRegistry, control: ReactorHandle, reactors: [ReactorHandle], identity: HostIdentity, logger: Logger,
    detachPatience: Duration = .seconds(10),
    probationDelayMilliseconds: ClosedRange<UInt32> = MultipathConfiguration().probationDelayMilliseconds
  ) {
    self.devices = devices
    self.control = control
    self.reactors = reactors
    self.identity = identity
    self.logger = logger
    self.detachPatience = detachPatience
    self.probationDelayMilliseconds = probationDelayMilliseconds
  }

  // MARK: What there is, for any thread

  package nonisolated var sets: [ControllerSet] { published.withLock { $0.sets } }
  package nonisolated func set(named name: String) -> ControllerSet? { sets.first { $0.name == name } }
  package nonisolated var options: NVMeOptions { published.withLock { $0.options } }
  package nonisolated var discoveries: [DiscoveryService] { published.withLock { $0.discoveries } }
  package nonisolated var hotplug: HotplugSettings {
    get { published.withLock { $0.hotplug } }
    set { published.withLock { $0.hotplug = newValue } }
  }

  /// - Parameter observer: told by what a controller had been attached that has been given up by itself, each of its
  ///   addresses; on the control reactor.
  package nonisolated func observeLosses(_ observer: @escaping @Sendable (AttachRequest) -> Void) {
    published.withLock { $0.lossObserver = observer }
  }

  // MARK: Options

  /// - Throws: -22 for options that cannot be; -1 while controllers are attached.
  package func setOptions(_ options: NVMeOptions) throws(RPCError) {
    try options.check()
    guard sets.isEmpty, pending.isEmpty else {
      throw RPCError(code: -1, message: "RPC not permitted with nvme controllers already attached")
    }
    published.withLock { $0.options = options }
  }

  // MARK: Attaching

  /// Attaches a controller, or adds a path to one, and waits until its namespaces are devices.
  ///
  /// - Returns: the devices' names.
  package func attach(_ request: AttachRequest) async throws(RPCError) -> [String] {
    await enter(request.name)
    defer { lanes.leave(request.name) }
    let timers = try check(request)
    pending.append((request.address, request.hostNQN))
    defer { pending.removeAll { $0.address == request.address && $0.hostNQN == request.hostNQN } }
    let member = try makeController(request, timers)
    let names: [String]
    if request.usesMultipath || self.set(named: request.name) == nil {
      try await connect(member, request)
      names = Self.names(in: adopt(member, request), presentedBy: member)
    } else {
      names = try await addAlternate(member, request)
    }
    logger.info(
      "attached", metadata: ["name": "\(request.name)", "path": "\(member.transport)", "devices": "\(names)"])
    if names.count > Int(request.maximumDeviceCount) {
      throw .system(ERANGE, detail: "there are \(names.count) devices, more than max_bdevs")
    }
    return names
  }

  /// Attaches what discovery has found, and waits until it has been connected or an attempt to do so has failed. It is one of
  /// its name's from the beginning, and tried for as long as its timers say.
  ///
  /// - Parameter isWanted: asked when nothing else happens under the name.
  /// - Returns: false when it is refused, or not wanted.
  func attachDiscovered(_ request: AttachRequest, if isWanted: @Sendable () -> Bool) async -> Bool {
    await enter(request.name)
    let controller: Controller
    do throws(RPCError) {
      defer { lanes.leave(request.name) }
      guard isWanted() else { return false }
      let timers = try check(request)
      let member = try makeController(request, timers)
      controller = member.controller
      _ = adopt(member, request)
      controller.connect()
    } catch {
      // What somebody has attached, under this name or another one, is there already.
      logger.log(
        level: [-Int(EEXIST), -Int(EALREADY)].contains(error.code) ? .info : .error, "not attached",
        metadata: [
          "name": "\(request.name)", "path": "\(request.address.host):\(request.address.serviceIdentifier)",
          "reason": "\(error)",
        ])
      return false
    }
    await controller.wait { snapshot in
      switch snapshot.condition {
      case .ready, .closed: true
      default: snapshot.state == .reconnectDelayed || snapshot.state == .deleted
      }
    }
    return true
  }

  /// - Throws: what upstream says of requests that cannot be, in its order.
  private func check(_ request: AttachRequest) throws(RPCError) -> RecoveryTimers {
    guard !isStopped else { throw .system(ESHUTDOWN) }
    if let set = set(named: request.name) { try check(request, against: set) }
    guard (1...UInt32(UInt16.max) + 1).contains(request.queueCount) else {
      throw .invalidArgument("num_io_queues out of bounds, min: 1 max: 65536")
    }
    let isTaken =
      pending.contains { $0.address.isSameWay(as: request.address) && $0.hostNQN == request.hostNQN }
      || sets.contains { set in
        set.hostNQN == request.hostNQN
          && set.controllers.contains { $0.addresses.contains { $0.isSameWay(as: request.address) } }
      }
    if isTaken { throw .system(EEXIST, detail: "\(request.address.host) is attached already by this host NQN") }
    guard (1...511).contains(request.name.utf8.count) else {
      throw .system(EINVAL, detail: "a controller's name has 1 to 511 bytes")
    }
    if let problem = NVMeQualifiedName.problem(with: request.address.subsystemNQN) {
      throw .system(EINVAL, detail: "subnqn: \(problem)")
    }
    if let problem = NVMeQualifiedName.problem(with: request.hostNQN) {
      throw .system(EINVAL, detail: "hostnqn: \(problem)")
    }
    // Of several addresses each is tried.
    let timers = try request.timers.recoveryTimers(promptAttempts: request.usesMultipath ? 1 : 4)
    _ = try request.multipath.multipathPolicy(failsBackAutomatically: true)
    _ = try request.address.port()
    if let set = set(named: request.name), set.usesMultipath != request.usesMultipath {
      throw .system(EINVAL, detail: "\(request.name) is attached in another multipath mode")
    }
    return timers
  }

  private func check(_ request: AttachRequest, against set: ControllerSet) throws(RPCError) {
    if request.mode == .disable {
      throw RPCError(
        code: -Int(EALREADY), message: "A controller named \(set.name) already exists and multipath is disabled")
    }
    let isSamePath = set.controllers.contains { controller in
      controller.transport.all.contains {
        $0.address.host == request.address.host && $0.address.serviceIdentifier == request.address.serviceIdentifier
          && $0.request.hostAddress == request.hostAddress
      }
    }
    if isSamePath {
      throw RPCError(
        code: -Int(EALREADY),
        message: "A controller named \(set.name) already exists with the specified network path")
    }
    if set.subsystemNQN != request.address.subsystemNQN {
      throw .invalidArgument(
        "A controller named \(set.name) already exists, but uses a different subnqn (\(set.subsystemNQN))")
    }
    if set.hostNQN != request.hostNQN {
      throw .invalidArgument(
        "A controller named \(set.name) already exists, but uses a different hostnqn (\(set.hostNQN))")
    }
  }

  private func connect(_ member: AttachedController, _ request: AttachRequest) async throws(RPCError) {
    let controller = member.controller
    connecting[ObjectIdentifier(controller)] = controller
    defer { connecting[ObjectIdentifier(controller)] = nil }
    controller.connect()
    do throws(ControllerError) {
      try await controller.ready()
      if isStopped { throw .disconnected }
    } catch {
      logger.error(
        "attach failed", metadata: ["name": "\(request.name)", "path": "\(member.transport)", "reason": "\(error)"])
      await controller.delete()
      throw Self.rpcError(error)
    }
    try await checkIdentifier(of: member, request)
  }

  /// Two controllers of one subsystem never have the same identifier: a second one with it is another subsystem's that has
  /// the same NQN.
  private func checkIdentifier(of member: AttachedController, _ request: AttachRequest) async throws(RPCError) {
    let identifier = member.controller.snapshot.controllerIdentifier
    let others = set(named: request.name)?.controllers.map(\.controller.snapshot) ?? []
    guard others.contains(where: { $0.state == .enabled && $0.controllerIdentifier == identifier }) else { return }
    await member.controller.delete()
    throw .system(
      EINVAL,
      detail: "cntlid \(identifier) is duplicated: \(request.address.host) is another subsystem with the same NQN")
  }

  static func rpcError(_ error: ControllerError) -> RPCError {
    if case .transport(_, let error) = error, error.kind == .timedOut {
      return .system(ETIMEDOUT, detail: error.message)
    }
    return .system(EIO, detail: "\(error)")
  }

  private func makeController(
    _ request: AttachRequest, _ timers: RecoveryTimers
  ) throws(RPCError) -> AttachedController {
    let options = options
    var request = request
    // Devices are the set's, whichever of its paths is attached first after a restart.
    if let set = set(named: request.name) { request.multipath = set.multipath }
    var tcp = TCPTransportOptions()
    tcp.headerDigest = request.headerDigest
    tcp.dataDigest = request.dataDigest
    tcp.addressFamily = request.address.addressFamily
    tcp.socketPriority = request.priority
    if !request.hostAddress.isEmpty { tcp.sourceAddress = request.hostAddress }
    options.apply(to: &tcp)
    let transport = AlternatingTransport(
      AddressedTransport(
        transport: TCPTransport(host: request.address.host, port: try request.address.port(), options: tcp),
        request: request))
    var configuration = ControllerConfiguration(
      subsystemNQN: request.address.subsystemNQN, hostNQN: request.hostNQN, hostIdentifier: request.hostIdentifier)
    options.apply(to: &configuration)
    if let microseconds = request.fabricsConnectTimeoutMicroseconds, microseconds > 0 {
      configuration.fabricsConnectTimeoutMilliseconds = UInt32(clamping: max(microseconds / 1000, 1))
    }
    configuration.controllerIdentifier = request.controllerIdentifier
    configuration.queueCount = min(Int(request.queueCount), reactors.count)
    configuration.recovery = timers
    configuration.retriesFirstConnect = request.isDiscovered && timers.reconnects
    configuration.disablesSubmissionQueueFlowControl = request.disablesFlowControl
    configuration.shutdownTimeoutMilliseconds = Self.shutdownTimeoutMilliseconds
    let controller = Controller(
      transport: transport, configuration: configuration, home: control, queueReactors: reactors)
    if !request.usesMultipath { Self.alternate(transport, of: controller) }
    let log = RecoveryLog(name: request.name, logger: logger)
    _ = controller.addObserver { [weak controller] notice in
      if let controller { log.take(notice, of: controller) }
    }
    return AttachedController(controller: controller, transport: transport)
  }

  // MARK: Sets

  /// Makes a controller one of its name's.
  private func adopt(_ member: AttachedController, _ request: AttachRequest) -> ControllerSet {
    let set = self.set(named: request.name) ?? makeSet(request)
    set.add(member)
    set.group.attach(member.controller)
    return set
  }

  private func makeSet(_ request: AttachRequest) -> ControllerSet {
    let options = options
    var multipath = MultipathConfiguration()
    multipath.retryLimit = options.retryLimit
    multipath.probationDelayMilliseconds = probationDelayMilliseconds
    // Errors that a retry has mended are known to the paths alone.
    multipath.countsPathIO = options.countsPathIO || options.countsErrors
    if let policy = try? request.multipath.multipathPolicy(
      failsBackAutomatically: !options.disablesAutomaticFailback)
    {
      multipath.policy = policy
    }
    let name = request.name
    let group = ControllerGroup(
      subsystemNQN: request.address.subsystemNQN, home: control, reactor: reactors[0], multipath: multipath,
      nameDevice: { "\(name)n\($0)" },
      tell: { [weak self] event in self?.assumeIsolated { $0.take(event, ofSet: name) } })
    let set = ControllerSet(request, group: group)
    published.withLock { $0.sets.append(set) }
    return set
  }

  static func names(in set: ControllerSet, presentedBy member: AttachedController) -> [String] {
    set.devices.filter { device in
      device.nvme?.paths.contains { $0.controller === member } ?? false
    }.map(\.name)
  }

  /// On the control reactor's thread.
  private func take(_ event: ControllerGroupEvent, ofSet name: String) {
    guard let set = set(named: name) else { return }
    switch event {
    case .controllerReady(let controller):
      if let value = options.arbitrationValue {
        Task { try? await controller.admin(.setFeatures(.arbitration, value: value)) }
      }
    case .controllerDelayed, .controllerClosed: break
    case .controllerRemoved(let controller, let reason):
      guard let member = set.controllers.first(where: { $0.controller === controller }) else { return }
      logger.warning("controller gone", metadata: ["name": "\(set.name)", "reason": "\(reason)"])
      remove(member, from: set)
      if member.request.isDiscovered {
        lost(member.request)
      } else if let tell = published.withLock({ $0.lossObserver }) {
        for request in member.requests { tell(request) }
      }
    case .deviceAdded(let device): register(device, of: set)
    case .deviceRemoved(let device):
      guard let registered = set.removeDevice(over: device) else { return }
      devices.unregister(registered)
      logger.notice("device gone", metadata: ["device": "\(registered.name)"])
    }
  }

  private func register(_ multipath: MultipathBlockDevice, of set: ControllerSet) {
    let serial = set.group.controllers.lazy.compactMap { $0.snapshot.identification?.serialNumber }.first ?? ""
    guard let identity = multipath.identity else { return }
    let device = RegisteredDevice(
      name: multipath.name, uuid: NVMeDevice.identifier(of: identity, serialNumber: serial),
      device: MeteredBlockDevice(multipath), origin: NVMeDevice(multipath, of: set))
    guard devices.register(device) else {
      logger.error("device not registered: the name is taken", metadata: ["device": "\(device.name)"])
      return
    }
    set.add(device)
    let size = Mutex(multipath.geometry.blockCount)
    _ = multipath.addObserver { [devices, logger, weak device, weak multipath] event in
      guard let device, let multipath else { return }
      func metadata(_ identifier: MultipathPathIdentifier) -> Logger.Metadata {
        let path = multipath.snapshot.paths.first { $0.identifier == identifier }
        return ["device": "\(device.name)", "path": "\(path?.address ?? "")"]
      }
      switch event {
      case .namespaceChanged(let geometry):
        let isOther = size.withLock { size in
          defer { size = geometry.blockCount }
          return size != geometry.blockCount
        }
        if isOther { devices.noteResize(of: device) }
      case .pathProbationBegan(let path):
        logger.warning("path on probation: it left I/O commands unanswered", metadata: metadata(path))
      case .pathProbationEnded(let path):
        logger.notice("path off probation: it does I/O again", metadata: metadata(path))
      default: break
      }
    }
  }

  private func remove(_ member: AttachedController, from set: ControllerSet) {
    if set.remove(member) { published.withLock { $0.sets.removeAll { $0 === set } } }
  }

  // MARK: Discovery

  func add(_ service: DiscoveryService) { published.withLock { $0.discoveries.append(service) } }

  func remove(_ service: DiscoveryService) {
    published.withLock { $0.discoveries.removeAll { $0 === service } }
  }

  private func enter(_ name: String) async { _ = await enter(name, within: nil) }

  /// - Returns: false when others have been at it for longer than that; there is nothing to leave then.
  private func enter(_ name: String, within duration: Duration?) async -> Bool {
    var timer: Task<Void, any Error>?
    let isEntered = await withUnsafeContinuation { continuation in
      guard let ticket = lanes.enter(name, continuation), let duration else { return }
      timer = Task {
        try await Task.sleep(for: duration)
        lanes.giveUp(name, ticket)
      }
    }
    timer?.cancel()
    return isEntered
  }

  // MARK: Several addresses of one controller

  /// Has a controller go to its next address whenever it has been lost, or could not be connected again. News comes before
  /// the attempt that follows from it.
  private static func alternate(_ transport: AlternatingTransport<AddressedTransport>, of controller: Controller) {
    let known = Mutex(RecoveryStatistics())
    _ = controller.addObserver { [weak controller] notice in
      guard let controller, case .recovery(let state, _) = notice else { return }
      let recovery = controller.snapshot.recovery
      let isNext = known.withLock { known in
        defer { known = recovery }
        return switch state {
        // A reset that somebody wished for keeps the address.
        case .resetting: recovery.lossCount > known.lossCount
        // So does the delay after a loss, which has been news before.
        case .reconnectDelayed: recovery.failedAttemptCount > known.failedAttemptCount
        default: false
        }
      }
      if isNext { transport.advance() }
    }
  }

  /// Makes the address that `probe` would connect by an alternate of the controller attached under the name, once it has
  /// been seen that the same namespaces are found there.
  private func addAlternate(_ probe: AttachedController, _ request: AttachRequest) async throws(RPCError) -> [String] {
    try await connect(probe, request)
    let found = probe.controller.snapshot.namespaces
    await probe.controller.delete()
    guard let set = set(named: request.name), let member = set.controllers.first else {
      throw .system(ENODEV, detail: "the controller went while the path was added")
    }
    let isSame = set.devices.compactMap(\.nvme?.multipath.identity).allSatisfy { identity in
      found[identity.identifier].map { $0.hasSameIdentity(as: identity) } ?? false
    }
    guard isSame else { throw .system(EINVAL, detail: "other namespaces are found at \(request.address.host)") }
    var alternate = probe.transport.all[0]
    alternate.request = request.asAlternate(of: member.request)
    member.transport.append(alternate)
    return Self.names(in: set, presentedBy: member)
  }

  // MARK: Detaching

  /// Detaches the paths of a controller that fit, and waits until nothing of them is left.
  ///
  /// - Throws: -19 for a name that there is not; -6 when no path fits; -110 when an attach of the name does not end.
  package func detach(_ name: String, _ filter: PathFilter) async throws(RPCError) {
    guard await enter(name, within: detachPatience) else {
      throw .system(ETIMEDOUT, detail: "an attach of \(name) is under way")
    }
    defer { lanes.leave(name) }
    try await detachEntered(name, filter)
  }

  /// Detaches what nobody wishes to keep, after whatever else happens under the name. If there is nothing that fits it has gone
  /// already.
  func letGo(_ name: String, _ filter: PathFilter) async {
    await enter(name)
    defer { lanes.leave(name) }
    try? await detachEntered(name, filter)
  }

  private func detachEntered(_ name: String, _ filter: PathFilter) async throws(RPCError) {
    guard let set = set(named: name) else { throw .noSuchDevice }
    var isFound = false
    var leaving: [AttachedController] = []
    for member in set.controllers where member.controller.snapshot.state != .deleting {
      if member.transport.removeAlternates(where: { filter.fits($0.request) }) > 0 { isFound = true }
      guard filter.fits(member.request) else { continue }
      isFound = true
      if member.transport.dropCurrent() {
        await Self.leaveAddress(member.controller)
      } else {
        leaving.append(member)
      }
    }
    guard isFound else { throw .system(ENXIO, detail: "no path of \(name) fits") }
    await delete(leaving, of: set)
    logger.info("detached", metadata: ["name": "\(name)", "paths": "\(leaving.count)"])
  }

  /// Has a controller connect anew, by the address that is the first one now. What is being connected already may be by
  /// the one before: its end is waited for, for whoever detaches a path may take the network away that it is in.
  private nonisolated static func leaveAddress(_ controller: Controller) async {
    while await controller.beginReset() == .alreadyResetting, !Task.isCancelled {
      await controller.wait { $0.state != .resetting }
    }
  }

  /// Side by side, as each may take its time.
  private func delete(_ members: [AttachedController], of set: ControllerSet) async {
    for member in members { set.group.detach(member.controller) }
    await withTaskGroup(of: Void.self) { group in
      for member in members { group.addTask { await member.controller.delete() } }
    }
    for member in members { remove(member, from: set) }
  }

  /// Ends all discovery, and detaches everything in good order.
  package func stop() async {
    isStopped = true
    // Side by side: each may take as long as its target is given to shut down.
    await withTaskGroup(of: Void.self) { group in
      for controller in connecting.values { group.addTask { await controller.delete() } }
      for discovery in discoveries { group.addTask { try? await self.stopDiscovery(discovery.name) } }
      for set in sets { group.addTask { await self.letGo(set.name, PathFilter()) } }
    }
  }
}
