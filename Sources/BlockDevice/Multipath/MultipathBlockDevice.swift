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

  private struct Shared: ~Copyable {
    /// By their places in the channels' tables.
    var paths: [MultipathPath?] = Array(repeating: nil, count: PathSelector.maximumPathCount)
    var channels: [WeakChannel] = []
    /// Of channels that are no more.
    var pastStatistics = MultipathStatistics()
    var pastErrorCounts: [UInt16: UInt64] = [:]
    var observers = ObserverTable<MultipathEvent>()
    var nextPathNumber: UInt64 = 0
    var nextPlace = 0
    var associationCount: UInt64 = 0
    var namespace: MultipathNamespace
    var policy: MultipathPolicy
    /// Tells which paths a channel would use now.
    var selector: PathSelector
    var isGone = false
    /// By its owner, for good.
    var isClosed = false
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
  ///   - reactor: for the `async` face. Each path's controller should have an I/O queue there, and on every reactor that a
  ///     channel is opened on: what it has none for is forwarded to another reactor, and slower.
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
        namespace: MultipathNamespace(identity: identity), policy: configuration.policy,
        selector: PathSelector(policy: configuration.policy)))
  }

  deinit {
    shared.withLock { shared in
      for case let path? in shared.paths {
        path.controller.removeObserver(path.observer)
        path.probe?.cancel()
      }
    }
  }

  public var geometry: BlockGeometry { shared.withLock { $0.namespace.geometry } }
  /// The namespace as it was first presented; all paths must present the same. Nil before that.
  public var identity: NamespaceInformation? { shared.withLock { $0.namespace.identity } }
  /// How requests are spread over the paths now.
  public var policy: MultipathPolicy { shared.withLock { $0.policy } }
  public var capabilities: BlockCapabilities { shared.withLock { $0.namespace.capabilities } }
  /// All controllers it had are gone for good, or it has been closed.
  public var isGone: Bool { shared.withLock { $0.isGone } }

  // MARK: Paths

  /// Adds a path: a controller of the device's subsystem, connected or not; its owner connects it.
  ///
  /// - Parameters:
  ///   - isPreferred: used before others of the same ANA state; takes that from whichever path had it.
  ///   - numaNode: of the network adapter; nil = near to every thread.
  /// - Throws: ``MultipathPathError`` for a controller of another subsystem, one that is a path already, or one that
  ///   presents another namespace under this NSID; and where the device has been closed.
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
      shared.paths[place] = MultipathPath(
        identifier: identifier, controller: controller, numaNode: numaNode,
        meter: configuration.countsPathIO ? MeterCore() : nil,
        probation: PathProbation(
          delaysMilliseconds: configuration.probationDelayMilliseconds, lossCount: snapshot.recovery.lossCount))
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
    // Deleted before anybody listened: nothing more comes of it.
    if controller.snapshot.state == .deleted {
      _ = remove(identifier, controller.snapshot.deletionReason ?? .requested)
    }
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
    let identifiers = shared.withLock { shared in
      shared.isClosed = true
      shared.isGone = true
      return shared.paths.compactMap { $0?.identifier }
    }
    for identifier in identifiers { _ = remove(identifier, .requested) }
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
    if shared.isClosed {
      return MultipathPathError(field: "device", value: name, rule: "it has been closed, and gets no paths any more")
    }
    if snapshot.state == .deleted {
      return MultipathPathError(
        field: "controller", value: "\(controller.transport)", rule: "it has been removed for good")
    }
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
    if let namespace = snapshot.namespaces[namespaceIdentifier],
      let difference = shared.namespace.difference(from: namespace)
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

  private func remove(_ identifier: MultipathPathIdentifier, _ reason: DeletionReason) -> Bool {
    let removed = shared.withLock { shared -> (path: MultipathPath, isLast: Bool)? in
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
    let isGone = shared.withLock { shared in
      // It may have got a path meanwhile: then it lives on.
      guard shared.isGone else { return false }
      for entry in shared.channels { entry.tell { $0.close() } }
      return true
    }
    if isGone { tell(.deviceGone(reason)) }
  }

  // MARK: News of controllers

  /// On the controller's home reactor.
  private func take(_ notice: ControllerNotice, at place: Int, _ identifier: MultipathPathIdentifier) {
    switch notice {
    case .ready, .recovery, .namespacesChanged, .anaChanged:
      look(at: place, identifier)
    case .commandsUnanswered(let queue, let nanoseconds):
      shared.withLock { shared in
        guard shared.paths[place]?.identifier == identifier else { return }
        shared.paths[place]?.commandsUnanswered(queue, nowNanoseconds: nanoseconds)
      }
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
      // Read inside, so that of two threads that look the later one has the later truth.
      let snapshot = path.controller.snapshot
      var availability = PathAvailability(
        state: snapshot.state, disposition: snapshot.ioDisposition,
        hasBeenEnabled: snapshot.recovery.lastEnabledNanoseconds != nil,
        ana: snapshot.anaState(ofNamespace: namespaceIdentifier))
      if snapshot.state == .enabled {
        let obstacle =
          duplicate(snapshot, &path, shared) ?? path.obstacle(snapshot, namespaceIdentifier, &shared.namespace)
        if let obstacle { availability = .unavailable(obstacle) }
        path.number(snapshot.association, &shared.associationCount)
      }
      var events = path.take(availability, snapshot)
      path.arrangeProbe(
        begin: { [weak self] in self?.deviceToProbe(at: place, identifier, $0) },
        ended: { [weak self] in self?.probeEnded(at: place, identifier, $0, isAnswered: $1, nowNanoseconds: $2) })
      shared.paths[place] = path
      shared.selector.setAvailability(availability, isOnProbation: path.update.isOnProbation, of: place)
      if shared.namespace.reshape(shared.paths) { events.insert(.namespaceChanged(shared.namespace.geometry), at: 0) }
      let (geometry, capabilities, now) = (shared.namespace.geometry, shared.namespace.capabilities, path)
      for entry in shared.channels {
        entry.tell { channel in
          channel.setShape(geometry, capabilities)
          channel.update(place, now.device, now.update, now.meter)
        }
      }
      return events
    }
    for event in events { tell(event) }
    if case .pathUnavailable? = events.last { lookAtDuplicates() }
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
      guard shared.paths[place]?.identifier == identifier else { return false }
      return shared.paths[place]?.probeEnded(number, isAnswered: isAnswered, nowNanoseconds: now) == true
    }
    if isLatest { look(at: place, identifier) }
  }

  /// Another path's controller stands in the way of this one, which has the same identifier (``SubsystemMembership``).
  private func duplicate(
    _ snapshot: Controller.Snapshot, _ path: inout MultipathPath, _ shared: borrowing Shared
  ) -> PathObstacle? {
    if path.membership.isCertain { return nil }
    let sharesIdentifier = shared.paths.contains { other in
      guard let other, other.membership.isCertain, other.identifier != path.identifier else { return false }
      let known = other.controller.snapshot
      return known.state == .enabled && known.controllerIdentifier == snapshot.controllerIdentifier
    }
    let mayBeUsed = path.membership.look(
      sharesIdentifier: sharesIdentifier,
      keepAliveMilliseconds: path.controller.configuration.keepAliveTimeoutMilliseconds,
      nowNanoseconds: MonotonicClock.nanoseconds())
    return mayBeUsed ? nil : .duplicateController(snapshot.controllerIdentifier)
  }

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
      (shared.policy, shared.namespace.geometry, shared.namespace.capabilities, shared.isGone)
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
    typealias Shape = (policy: MultipathPolicy, geometry: BlockGeometry, capabilities: BlockCapabilities)
    let opened: (paths: [(Int, MultipathPath)], shape: Shape)? = shared.withLock { shared in
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
      // What has changed since it was asked is not told again.
      return (
        shared.paths.indices.compactMap { place in shared.paths[place].map { (place, $0) } },
        (shared.policy, shared.namespace.geometry, shared.namespace.capabilities)
      )
    }
    guard let (paths, shape) = opened else {
      channel.close()
      throw .closed
    }
    channel.take(shape.policy)
    channel.setShape(shape.geometry, shape.capabilities)
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
    shared.withLock { $0.observers.add(observer) }
  }

  public func removeObserver(_ identifier: UInt64) { shared.withLock { $0.observers.remove(identifier) } }

  /// The news as a stream. A reader that falls behind by more than 1024 events misses the oldest.
  public func events() -> AsyncStream<MultipathEvent> {
    let (stream, continuation) = AsyncStream.makeStream(
      of: MultipathEvent.self, bufferingPolicy: .bufferingNewest(1024))
    let observer = addObserver { continuation.yield($0) }
    continuation.onTermination = { [weak self] _ in self?.removeObserver(observer) }
    return stream
  }

  private func tell(_ event: MultipathEvent) {
    for observer in shared.withLock({ $0.observers.all }) { observer(event) }
  }
}
