internal import CLiburing
public import NVMeHost
internal import NVMeProtocol
public import RingReactor
import Synchronization

/// One block device over several controllers of one subsystem: the same namespace, reached by several paths, or by one
/// that is reconnected.
///
/// Paths come and go at run time (``addPath(_:isPreferred:numaNode:)``, ``removePath(_:)``). Requests outstanding on a path
/// that is lost are sent on another one, or held until one comes back, as ``MultipathConfiguration`` and the controllers'
/// ``RecoveryTimers`` say; `docs/recovery.md` has the rules. Any thread may call anything here at any time.
public final class MultipathBlockDevice: BlockDevice {
  private final class WeakChannel: @unchecked Sendable {
    weak let channel: MultipathChannel?
    let reactor: ReactorHandle
    let report: MultipathReport
    /// NUMA node of the channel's thread; nil where the system does not tell.
    let numaNode: UInt32?

    init(_ channel: MultipathChannel, reactor: ReactorHandle, numaNode: UInt32?) {
      self.channel = channel
      self.reactor = reactor
      self.numaNode = numaNode
      report = channel.report
    }

    func tell(_ body: @escaping @Sendable (MultipathChannel) -> Void) {
      reactor.post { _ in if let channel = self.channel { body(channel) } }
    }
  }

  private struct Path {
    var identifier: MultipathPathIdentifier
    var controller: Controller
    var observer: UInt64 = 0
    var numaNode: UInt32?
    var isPreferred: Bool
    var device: NVMeBlockDevice?
    /// Of the namespace as the controller presents it; nil until it has.
    var limits: NVMeNamespaceLimits?
    var availability = PathAvailability.unavailable(.connecting)
    /// The controller's association that `association` stands for.
    var controllerAssociation: UInt64 = 0
    /// Counted over all paths of the device.
    var association: UInt64 = 0
    /// Its controller has been seen to be none of another subsystem with the same NQN.
    var isOfSubsystem = false
    /// Since when another path's controller has had the same identifier as this one's; nil: none has.
    var duplicateSinceNanoseconds: UInt64?
    var probation: PathProbation
    /// Waits for its time, or is under way.
    var probe: PathProbe?
    var update: MultipathPathUpdate
    /// Counts what goes this way; nil where that is not wished for.
    var meter: MeterCore?
  }

  private struct Shared: ~Copyable {
    /// By their places in the channels' tables.
    var paths: [Path?] = Array(repeating: nil, count: PathSelector.maximumPathCount)
    var channels: [WeakChannel] = []
    /// Of channels that are no more.
    var pastStatistics = MultipathStatistics()
    var pastErrorCounts: [UInt16: UInt64] = [:]
    var observers: [UInt64: @Sendable (MultipathEvent) -> Void] = [:]
    var nextObserver: UInt64 = 0
    var nextPathNumber: UInt64 = 0
    var nextPlace = 0
    var associationCount: UInt64 = 0
    /// The namespace as the first path presented it; all others must present the same.
    var identity: NamespaceInformation? { didSet { Revision.mark() } }
    var geometry = BlockGeometry(blockByteCount: 512, blockCount: 0) { didSet { Revision.mark() } }
    var capabilities: BlockCapabilities = [] { didSet { Revision.mark() } }
    var policy: MultipathPolicy
    /// Tells which paths a channel would use now.
    var selector: PathSelector
    var isGone = false
  }

  public let name: String
  public let subsystemNQN: String
  /// NSID
  public let namespaceIdentifier: UInt32
  public let configuration: MultipathConfiguration
  public let asyncFace: AsyncFace
  public var reactor: ReactorHandle { asyncFace.reactor }
  private let shared: Mutex<Shared>

  /// A device without paths yet; it has no blocks until the first path has been connected.
  ///
  /// - Parameters:
  ///   - name: nil: made of the subsystem's NQN and the NSID.
  ///   - identity: the namespace that all paths must present; nil: whichever the first one presents.
  ///   - reactor: for the `async` face; each path's controller must have an I/O queue there, and on every reactor that a
  ///     channel is opened on.
  public init(
    subsystemNQN: String, namespaceIdentifier: UInt32, name: String? = nil, identity: NamespaceInformation? = nil,
    configuration: MultipathConfiguration = MultipathConfiguration(), reactor: ReactorHandle
  ) {
    self.subsystemNQN = subsystemNQN
    self.namespaceIdentifier = namespaceIdentifier
    self.configuration = configuration
    self.name = name ?? "\(subsystemNQN)/\(namespaceIdentifier)"
    asyncFace = AsyncFace(reactor: reactor)
    shared = Mutex(
      Shared(
        identity: identity, policy: configuration.policy, selector: PathSelector(policy: configuration.policy)))
  }

  deinit {
    shared.withLock { shared in
      for case let path? in shared.paths {
        path.controller.removeObserver(path.observer)
        path.probe?.cancel()
      }
    }
  }

  public var geometry: BlockGeometry { shared.withLock { $0.geometry } }
  /// The namespace as it was first presented; all paths must present the same. Nil before that.
  public var identity: NamespaceInformation? { shared.withLock { $0.identity } }
  /// How requests are spread over the paths now.
  public var policy: MultipathPolicy { shared.withLock { $0.policy } }
  public var capabilities: BlockCapabilities { shared.withLock { $0.capabilities } }
  /// All controllers it had are gone for good, or it has been closed.
  public var isGone: Bool { shared.withLock { $0.isGone } }

  // MARK: Paths

  /// Adds a path: a controller of the device's subsystem, connected or not; its owner connects it.
  ///
  /// - Parameters:
  ///   - isPreferred: used before others of the same ANA state; takes that from whichever path had it.
  ///   - numaNode: of the network adapter; nil = near to every thread.
  /// - Throws: ``MultipathPathError`` for a controller of another subsystem, one that is a path already, or one that
  ///   presents another namespace under this NSID.
  @discardableResult
  public func addPath(
    _ controller: Controller, isPreferred: Bool = false, numaNode: UInt32? = nil
  ) throws(MultipathPathError) -> MultipathPathIdentifier {
    let snapshot = controller.snapshot
    let result = shared.withLock { shared -> Result<(MultipathPathIdentifier, Int), MultipathPathError> in
      if let problem = problem(controller, snapshot, shared) { return .failure(problem) }
      guard let place = freePlace(&shared) else {
        return .failure(
          MultipathPathError(
            field: "number", value: "\(PathSelector.maximumPathCount + 1)",
            rule: "a device has at most \(PathSelector.maximumPathCount) paths"))
      }
      shared.nextPathNumber += 1
      let identifier = MultipathPathIdentifier(number: shared.nextPathNumber)
      shared.paths[place] = Path(
        identifier: identifier, controller: controller, numaNode: numaNode, isPreferred: false,
        probation: PathProbation(
          delaysMilliseconds: configuration.probationDelayMilliseconds, lossCount: snapshot.recovery.lossCount),
        update: MultipathPathUpdate(
          availability: .unavailable(.connecting), association: 0, quiesceNanoseconds: nil),
        meter: configuration.countsPathIO ? MeterCore() : nil)
      shared.isGone = false
      return .success((identifier, place))
    }
    let (identifier, place) = try result.get()
    let observer = controller.addObserver { [weak self] notice in self?.take(notice, at: place, identifier) }
    shared.withLock { shared in
      shared.paths[place]?.observer = observer
      for entry in shared.channels { Self.tellPlace(entry, place, numaNode) }
    }
    tell(.pathAdded(identifier))
    look(at: place, identifier)
    if isPreferred { setPreferredPath(identifier) }
    return identifier
  }

  /// Takes a path out: requests outstanding on it still end there, new ones go elsewhere. The controller stays as it is.
  ///
  /// - Returns: false when there is no such path.
  @discardableResult
  public func removePath(_ identifier: MultipathPathIdentifier) -> Bool { remove(identifier, .requested) }

  /// Takes all paths out and ends the device: its channels close, and none can be opened any more.
  public func close() {
    let identifiers = shared.withLock { shared in shared.paths.compactMap { $0?.identifier } }
    for identifier in identifiers { _ = remove(identifier, .requested) }
    shared.withLock { $0.isGone = true }
    end(.requested)
  }

  /// The path that is used first among equally accessible ones; nil for none. Takes effect at once.
  ///
  /// - Returns: false when there is no such path.
  @discardableResult
  public func setPreferredPath(_ identifier: MultipathPathIdentifier?) -> Bool {
    shared.withLock { shared in
      let place = shared.paths.firstIndex { $0 != nil && $0?.identifier == identifier }
      if identifier != nil && place == nil { return false }
      for index in shared.paths.indices { shared.paths[index]?.isPreferred = index == place }
      shared.selector.setPreferred(place)
      for entry in shared.channels { entry.tell { $0.setPreferred(place) } }
      return true
    }
  }

  /// Changes how requests are spread over the paths from now on.
  public func setPolicy(_ policy: MultipathPolicy) {
    shared.withLock { shared in
      shared.policy = policy
      shared.selector.take(policy)
      for entry in shared.channels { entry.tell { $0.take(policy) } }
    }
  }

  private func problem(
    _ controller: Controller, _ snapshot: Controller.Snapshot, _ shared: borrowing Shared
  ) -> MultipathPathError? {
    let nqn = controller.configuration.subsystemNQN
    if nqn != subsystemNQN {
      return MultipathPathError(
        field: "subsystem NQN", value: nqn, rule: "all paths lead to one subsystem, here \(subsystemNQN)")
    }
    if controller.configuration.isDiscovery {
      return MultipathPathError(
        field: "controller", value: "a discovery controller", rule: "it must have namespaces and I/O queues")
    }
    for case let path? in shared.paths {
      if path.controller === controller {
        return MultipathPathError(
          field: "controller", value: "\(controller.transport)", rule: "it is a path of this device already")
      }
      if !configuration.allowsSeveralPaths {
        return MultipathPathError(
          field: "controller", value: "\(controller.transport)",
          rule: "the device has a path, and multipath is disabled for it")
      }
    }
    if let identity = shared.identity, let namespace = snapshot.namespaces[namespaceIdentifier],
      let difference = Self.difference(identity, namespace)
    {
      return MultipathPathError(field: "namespace", value: difference, rule: "all paths lead to one namespace")
    }
    return nil
  }

  /// Places are taken in turn, so that late news of a path finds nobody in its place for as long as possible.
  private func freePlace(_ shared: inout Shared) -> Int? {
    for offset in 0..<shared.paths.count {
      let place = (shared.nextPlace + offset) % shared.paths.count
      if shared.paths[place] == nil {
        shared.nextPlace = place + 1
        return place
      }
    }
    return nil
  }

  /// What tells two namespaces apart; nil when they are the same one.
  private static func difference(_ a: NamespaceInformation, _ b: NamespaceInformation) -> String? {
    if a.nguid != b.nguid { return "NGUID \(b.nguid.hexadecimalString), not \(a.nguid.hexadecimalString)" }
    if a.eui64 != b.eui64 { return "EUI64 \(String(b.eui64, radix: 16)), not \(String(a.eui64, radix: 16))" }
    if a.uuid != b.uuid { return "UUID \(b.uuid), not \(a.uuid)" }
    if a.commandSetIdentifier != b.commandSetIdentifier {
      return "command set \(b.commandSetIdentifier.rawValue), not \(a.commandSetIdentifier.rawValue)"
    }
    if a.blockByteCount != b.blockByteCount {
      return "blocks of \(b.blockByteCount) bytes, not \(a.blockByteCount)"
    }
    if a.nguid.isZero && a.eui64 == 0 && a.uuid.isZero {
      return "without NGUID, EUI64 and UUID: whether it is the same one cannot be told"
    }
    return nil
  }

  private func remove(_ identifier: MultipathPathIdentifier, _ reason: DeletionReason) -> Bool {
    let removed = shared.withLock { shared -> (path: Path, isLast: Bool)? in
      guard let place = shared.paths.firstIndex(where: { $0 != nil && $0?.identifier == identifier }),
        let path = shared.paths[place]
      else { return nil }
      shared.paths[place] = nil
      shared.selector.remove(place)
      for entry in shared.channels { entry.tell { $0.remove(place) } }
      let isLast = shared.paths.allSatisfy { $0 == nil }
      if isLast && reason != .requested { shared.isGone = true }
      return (path, isLast)
    }
    guard let removed else { return false }
    removed.path.controller.removeObserver(removed.path.observer)
    removed.path.probe?.cancel()
    tell(.pathRemoved(identifier, reason))
    if removed.isLast && reason != .requested { end(reason) }
    lookAtDuplicates()
    return true
  }

  private func end(_ reason: DeletionReason) {
    for entry in shared.withLock({ $0.channels }) { entry.tell { $0.close() } }
    tell(.deviceGone(reason))
  }

  // MARK: News of controllers

  /// On the controller's home reactor.
  private func take(_ notice: ControllerNotice, at place: Int, _ identifier: MultipathPathIdentifier) {
    switch notice {
    case .ready, .recovery, .namespacesChanged, .anaChanged:
      look(at: place, identifier)
    case .associationEnded(let number, let isQuiesced):
      guard isQuiesced else { return }
      shared.withLock { shared in
        guard let path = shared.paths[place], path.identifier == identifier, path.controllerAssociation == number
        else { return }
        for entry in shared.channels { entry.tell { $0.quiesced(place, association: path.association) } }
      }
    case .removed(let reason):
      _ = remove(identifier, reason)
    case .closed, .discoveryLogChanged, .asynchronousEvent:
      break
    }
  }

  /// Finds out what a path can be used for now, and tells the channels.
  private func look(at place: Int, _ identifier: MultipathPathIdentifier) {
    let events = shared.withLock { shared -> [MultipathEvent] in
      guard var path = shared.paths[place], path.identifier == identifier else { return [] }
      var events: [MultipathEvent] = []
      // Read inside, so that of two threads that look the later one has the later truth.
      let snapshot = path.controller.snapshot
      var availability = PathAvailability(
        state: snapshot.state, disposition: snapshot.ioDisposition,
        hasBeenEnabled: snapshot.recovery.lastEnabledNanoseconds != nil,
        ana: snapshot.anaState(ofNamespace: namespaceIdentifier))
      if snapshot.state == .enabled {
        if path.controllerAssociation != snapshot.association {
          path.controllerAssociation = snapshot.association
          shared.associationCount += 1
          path.association = shared.associationCount
        }
        if let obstacle = duplicate(snapshot, &path, shared) ?? obstacle(snapshot, &path, &shared.identity) {
          availability = .unavailable(obstacle)
        }
      }
      path.probation.look(snapshot.recovery, isConnected: snapshot.state == .enabled)
      let isOnProbation = path.probation.isOn
      if path.update.isOnProbation != isOnProbation {
        events.append(isOnProbation ? .pathProbationBegan(identifier) : .pathProbationEnded(identifier))
      }
      let old = path.availability
      path.availability = availability
      arrangeProbe(of: &path, at: place)
      path.update = MultipathPathUpdate(
        availability: availability, isOnProbation: isOnProbation, association: path.association,
        quiesceNanoseconds: snapshot.communicationLoss.quiesceMilliseconds.map { $0 * 1_000_000 },
        commandRetryDelayTimes: snapshot.identification?.commandRetryDelayTimes ?? [])
      shared.paths[place] = path
      shared.selector.setAvailability(availability, isOnProbation: isOnProbation, of: place)
      if reshape(&shared) { events.append(.namespaceChanged(shared.geometry)) }
      let (geometry, capabilities, now) = (shared.geometry, shared.capabilities, path)
      for entry in shared.channels {
        entry.tell { channel in
          channel.setShape(geometry, capabilities)
          channel.update(place, now.device, now.update, now.meter)
        }
      }
      if old != availability {
        switch availability {
        case .optimized: events.append(.pathAvailable(identifier, isOptimized: true))
        case .nonOptimized: events.append(.pathAvailable(identifier, isOptimized: false))
        case .unavailable(let obstacle): events.append(.pathUnavailable(identifier, obstacle))
        }
      }
      return events
    }
    for event in events { tell(event) }
    if case .pathUnavailable? = events.last { lookAtDuplicates() }
  }

  /// A path on probation that can be used has one probe, which waits for its time or is under way.
  private func arrangeProbe(of path: inout Path, at place: Int) {
    if let probe = path.probe, probe.number != path.probation.number {
      probe.cancel()
      path.probe = nil
    }
    guard path.probe == nil, path.availability.isUsable, let dueNanoseconds = path.probation.dueNanoseconds else {
      return
    }
    // Where the command went unanswered, as far as the controller still has that queue.
    let queues = path.controller.ioQueues.prefix(path.controller.snapshot.queueCount)
    guard let queue = queues.first(where: { $0.identifier == path.probation.queueIdentifier }) ?? queues.first else {
      return
    }
    let (identifier, number) = (path.identifier, path.probation.number)
    path.probe = PathProbe(
      number: number, reactor: queue.reactor, dueNanoseconds: dueNanoseconds,
      begin: { [weak self] in self?.deviceToProbe(at: place, identifier, number) },
      ended: { [weak self] isAnswered, now in
        self?.probeEnded(at: place, identifier, number, isAnswered: isAnswered, nowNanoseconds: now)
      })
  }

  private func deviceToProbe(
    at place: Int, _ identifier: MultipathPathIdentifier, _ number: UInt64
  ) -> NVMeBlockDevice? {
    shared.withLock { shared in
      guard let path = shared.paths[place], path.identifier == identifier, path.probe?.number == number,
        path.availability.isUsable
      else { return nil }
      return path.device
    }
  }

  private func probeEnded(
    at place: Int, _ identifier: MultipathPathIdentifier, _ number: UInt64, isAnswered: Bool, nowNanoseconds now: UInt64
  ) {
    let isLatest = shared.withLock { shared in
      guard var path = shared.paths[place], path.identifier == identifier, path.probe?.number == number else {
        return false
      }
      path.probe = nil
      path.probation.probeEnded(number, isAnswered: isAnswered, nowNanoseconds: now)
      shared.paths[place] = path
      return true
    }
    if isLatest { look(at: place, identifier) }
  }

  /// All controllers of a subsystem have different identifiers (NVMe Base 2.1, section 3.1.2). Two with the same one are of
  /// two subsystems with one NQN, a target and its copy for instance, whose namespaces say that they are the same but have
  /// other blocks: one after the other would be written to.
  ///
  /// Only a controller that is new here is held against the others: of one whose connection is lost the target may know
  /// before we do, and give its identifier to another. Who has shared it for longer than that can last is a stranger.
  private func duplicate(
    _ snapshot: Controller.Snapshot, _ path: inout Path, _ shared: borrowing Shared
  ) -> PathObstacle? {
    if path.isOfSubsystem { return nil }
    let obstacle = PathObstacle.duplicateController(snapshot.controllerIdentifier)
    let now = MonotonicClock.nanoseconds()
    if let since = path.duplicateSinceNanoseconds {
      let keepAlive = UInt64(path.controller.configuration.keepAliveTimeoutMilliseconds)
      if now &- since > Self.keepAlivesUntilLossIsKnown * keepAlive * 1_000_000 { return obstacle }
    }
    for case let other? in shared.paths where other.isOfSubsystem && other.identifier != path.identifier {
      let known = other.controller.snapshot
      guard known.state == .enabled, known.controllerIdentifier == snapshot.controllerIdentifier else { continue }
      if path.duplicateSinceNanoseconds == nil { path.duplicateSinceNanoseconds = now }
      return obstacle
    }
    path.isOfSubsystem = true
    path.duplicateSinceNanoseconds = nil
    return nil
  }

  /// A keep alive is due each half of KATO, and has KATO to be answered.
  private static let keepAlivesUntilLossIsKnown: UInt64 = 2

  /// Another path is not what it was: those that had its controller's identifier may be right after all.
  private func lookAtDuplicates() {
    let waiting = shared.withLock { shared in
      shared.paths.indices.compactMap { place -> (Int, MultipathPathIdentifier)? in
        guard let path = shared.paths[place], case .unavailable(.duplicateController) = path.availability else {
          return nil
        }
        return (place, path.identifier)
      }
    }
    for (place, identifier) in waiting { look(at: place, identifier) }
  }

  /// What is in the way of the namespace on a controller that is connected; nil when nothing is.
  private func obstacle(
    _ snapshot: Controller.Snapshot, _ path: inout Path, _ identity: inout NamespaceInformation?
  ) -> PathObstacle? {
    guard let namespace = snapshot.namespaces[namespaceIdentifier] else { return .namespaceMissing }
    if let reason = namespace.unusableReason { return .namespaceMismatch(reason) }
    if let known = identity {
      let isOnly = path.device?.namespace.hasSameIdentity(as: namespace) ?? false
      if let difference = Self.difference(known, namespace), !isOnly { return .namespaceMismatch(difference) }
    } else {
      identity = namespace
    }
    // Not asked of the device, which may hear of the change after us.
    path.limits = NVMeNamespaceLimits(
      namespace, snapshot, hostLimitByteCount: path.controller.configuration.maximumTransferByteCount)
    if path.device == nil || path.device?.isGone == true {
      path.device = NVMeBlockDevice(controller: path.controller, namespace: namespace)
    }
    return nil
  }

  /// Size and capabilities that all paths have in common; those of paths that are lost count for as long as nothing else
  /// is known.
  ///
  /// - Returns: whether they have changed.
  private func reshape(_ shared: inout Shared) -> Bool {
    var all = shared.paths.compactMap { $0?.availability.isUsable == true ? $0?.limits : nil }
    if all.isEmpty { all = shared.paths.compactMap { $0?.limits } }
    guard let first = all.first else { return false }
    var geometry = first.geometry
    var capabilities = first.capabilities
    for limits in all.dropFirst() {
      let other = limits.geometry
      geometry.blockCount = min(geometry.blockCount, other.blockCount)
      geometry.maximumRequestByteCount = min(geometry.maximumRequestByteCount, other.maximumRequestByteCount)
      geometry.maximumTransferByteCount = min(geometry.maximumTransferByteCount, other.maximumTransferByteCount)
      // Whatever might be cached on some path is worth a flush.
      capabilities = capabilities.intersection(limits.capabilities)
        .union(capabilities.union(limits.capabilities).intersection(.volatileWriteCache))
    }
    guard geometry != shared.geometry || capabilities != shared.capabilities else { return false }
    shared.geometry = geometry
    shared.capabilities = capabilities
    return true
  }

  /// The paths' counts of failures start anew, where there are any (``MultipathConfiguration/countsPathIO``).
  public func resetPathFailures() {
    for meter in shared.withLock({ $0.paths.compactMap { $0?.meter } }) { meter.reset(.failures) }
  }

  /// For channels: statuses say that these paths' ANA logs are out of date.
  func refreshAccess(_ places: UInt32) {
    let controllers = shared.withLock { shared in
      shared.paths.indices.compactMap { places & 1 << UInt32($0) != 0 ? shared.paths[$0]?.controller : nil }
    }
    for controller in controllers { controller.refreshANALog() }
  }

  // MARK: Channels

  public func openChannel(on reactor: Reactor, queueDepth: Int) throws(BlockRefusal) -> BlockChannel {
    var engine = MultipathEngine.Configuration()
    engine.retryLimit = configuration.retryLimit
    engine.unknownWrites = configuration.unknownWrites
    let (policy, geometry, capabilities, isGone) = shared.withLock { shared in
      (shared.policy, shared.geometry, shared.capabilities, shared.isGone)
    }
    guard !isGone else { throw .closed }
    engine.policy = policy
    let channel = MultipathChannel(
      reactor: reactor, queueDepth: queueDepth, device: self, configuration: engine, geometry: geometry,
      capabilities: capabilities)
    // Of a device that nobody holds the channel would not hear what becomes of its paths.
    channel.keep(self)
    let node = Self.currentNUMANode()
    let entry = WeakChannel(channel, reactor: reactor.handle, numaNode: node)
    let paths: [(Int, Path)]? = shared.withLock { shared in
      // Gone since it was asked: nobody would close the channel.
      if shared.isGone { return nil }
      for past in shared.channels where past.channel == nil {
        let content = past.report.read()
        shared.pastStatistics = shared.pastStatistics + content.statistics
        shared.pastErrorCounts.merge(content.errorCounts, uniquingKeysWith: +)
      }
      shared.channels.removeAll { $0.channel == nil }
      // From now on news is posted, and comes after what is told here.
      shared.channels.append(entry)
      return shared.paths.indices.compactMap { place in shared.paths[place].map { (place, $0) } }
    }
    guard let paths else {
      channel.close()
      throw .closed
    }
    for (place, path) in paths {
      if let node, let own = path.numaNode, node != own { channel.setLocal(false, place) }
      channel.update(place, path.device, path.update, path.meter)
    }
    if let place = paths.first(where: { $0.1.isPreferred })?.0 { channel.setPreferred(place) }
    return channel
  }

  private static func tellPlace(_ entry: WeakChannel, _ place: Int, _ node: UInt32?) {
    let isLocal = node == nil || entry.numaNode == nil || node == entry.numaNode
    entry.tell { $0.setLocal(isLocal, place) }
  }

  private static func currentNUMANode() -> UInt32? {
    let node = nvmeof_numa_node()
    return node >= 0 ? UInt32(node) : nil
  }

  // MARK: State

  /// What is true now; safe to read at any moment, during a reset too.
  public var snapshot: MultipathSnapshot {
    let (paths, isGone, reports, past, pastErrors) = shared.withLock { shared in
      (
        shared.paths.indices.compactMap { place in
          shared.paths[place].map { (path: $0, isCurrent: shared.selector.isCurrent(place)) }
        },
        shared.isGone, shared.channels.map(\.report), shared.pastStatistics, shared.pastErrorCounts
      )
    }
    var snapshot = MultipathSnapshot(paths: [], statistics: past, errorCounts: pastErrors, isGone: isGone)
    for (path, isCurrent) in paths.sorted(by: { $0.path.identifier.number < $1.path.identifier.number }) {
      let controller = path.controller.snapshot
      snapshot.paths.append(
        MultipathSnapshot.Path(
          identifier: path.identifier, controller: path.controller, address: path.controller.transport.description,
          controllerIdentifier: controller.controllerIdentifier, state: controller.state, isCurrent: isCurrent,
          isConnected: controller.state == .enabled, isAccessible: path.availability.isUsable,
          isPreferred: path.isPreferred, isOnProbation: path.probation.isOn, availability: path.availability,
          recovery: controller.recovery,
          quiesceMilliseconds: controller.communicationLoss.quiesceMilliseconds, io: path.meter?.statistics))
    }
    for report in reports {
      let content = report.read()
      snapshot.statistics = snapshot.statistics + content.statistics
      snapshot.errorCounts.merge(content.errorCounts, uniquingKeysWith: +)
    }
    return snapshot
  }

  /// Has `observer` told the news, on whichever thread it comes up on, until ``removeObserver(_:)``.
  public func addObserver(_ observer: @escaping @Sendable (MultipathEvent) -> Void) -> UInt64 {
    shared.withLock { shared in
      shared.nextObserver += 1
      shared.observers[shared.nextObserver] = observer
      return shared.nextObserver
    }
  }

  public func removeObserver(_ identifier: UInt64) { shared.withLock { $0.observers[identifier] = nil } }

  /// The news as a stream. A reader that falls behind by more than 1024 events misses the oldest.
  public func events() -> AsyncStream<MultipathEvent> {
    let (stream, continuation) = AsyncStream.makeStream(
      of: MultipathEvent.self, bufferingPolicy: .bufferingNewest(1024))
    let observer = addObserver { continuation.yield($0) }
    continuation.onTermination = { [weak self] _ in self?.removeObserver(observer) }
    return stream
  }

  private func tell(_ event: MultipathEvent) {
    let observers = shared.withLock { shared in shared.observers.sorted { $0.key < $1.key }.map(\.value) }
    for observer in observers { observer(event) }
  }
}
