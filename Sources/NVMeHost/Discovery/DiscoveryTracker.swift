internal import NVMeProtocol

/// Watches a discovery service and those that it refers to, sans-I/O: events and time in, actions out.
///
/// After each ``handle(_:nowNanoseconds:)`` the owner takes all actions by ``nextAction()`` and sets its timer to
/// ``nextDeadlineNanoseconds``. What is offered, ``paths``, is what the latest logs that were read as a whole name
/// together. Nothing else takes a path away: a service that is lost, or answers with an error, still offers what it did.
///
/// Services are known by address, port and NQN, so that referrals in a circle end; they stay for as long as a chain of
/// referrals leads to them. Depth, number of services and number of records are bounded.
public struct DiscoveryTracker: Sendable {
  private enum Phase {
    case connecting
    case connected
    case failed
  }

  private struct Service {
    /// As the user or the referral named it.
    var target: TargetIdentifier
    /// Referrals that lead to it.
    var depth: Int
    var phase = Phase.connecting
    /// Its name of its own, by which it is connected; nil: as it was named.
    var uniqueNQN: String?
    /// A name of its own has led nowhere: no other is tried, a service could make up new ones for ever.
    var hasRefusedUniqueNQN = false
    var isLossTold = false
    var reportsChanges = false
    var isReading = false
    var needsRead = false
    var nextReadNanoseconds: UInt64 = .max
    var failedReadCount = 0
    var generationCounter: UInt64 = 0
    /// The latest log that was read as a whole; nil: none yet.
    var records: [DiscoveryRecord]?
    var error: DiscoveryError?

    var connectTarget: TargetIdentifier {
      var connectTarget = target
      if let uniqueNQN { connectTarget.subsystemNQN = uniqueNQN }
      return connectTarget
    }

    /// Whether a referral to `other` leads here.
    func isNamed(by other: TargetIdentifier) -> Bool {
      target.port == other.port && target.host.lowercased() == other.host.lowercased()
        && (other.subsystemNQN == target.subsystemNQN || other.subsystemNQN == uniqueNQN)
    }
  }

  /// What one of the services is like now.
  public struct ServiceReport: Sendable, Hashable {
    public var target: TargetIdentifier
    /// Referrals that lead to it; 0: the service that the user named.
    public var depth: Int
    /// Its name of its own, by which it is connected; nil where it has none.
    public var uniqueNQN: String?
    public var isConnected: Bool
    /// GENCTR of the log that was read; nil where none has been.
    public var generationCounter: UInt64?
    /// Entries of the log that was read.
    public var records: [DiscoveryRecord]
    /// What is wrong with it; nil when nothing is.
    public var error: DiscoveryError?
  }

  /// Each once, in the order in which they were found.
  public private(set) var paths: [DiscoveryPath] = []
  /// Referrals that are not followed as a limit has been reached.
  public private(set) var skippedReferralCount = 0

  private let start: TargetIdentifier
  private let limits: DiscoveryCrawler.Limits
  private let pollNanoseconds: UInt64
  private var services: [DiscoveryServiceIdentifier: Service] = [:]
  /// In the order in which they were found; the first is the user's.
  private var order: [DiscoveryServiceIdentifier] = []
  private var nextNumber: UInt64 = 1
  private var actions: [DiscoveryTrackerAction] = []
  private var isStopped = false

  /// A log that could not be read is tried again after a second, then after twice as long each time, up to about a minute.
  private static let retryNanoseconds: UInt64 = 1_000_000_000
  private static let maximumRetryDoublings = 6

  /// - Parameter pollMilliseconds: how often the logs of services are read that do not tell when they change; 0 = never.
  public init(
    start: TargetIdentifier, limits: DiscoveryCrawler.Limits = DiscoveryCrawler.Limits(),
    pollMilliseconds: UInt32 = 60_000
  ) {
    self.start = start
    self.limits = limits
    pollNanoseconds = UInt64(pollMilliseconds) * 1_000_000
  }

  public var serviceReports: [ServiceReport] {
    order.compactMap { services[$0] }.map { service in
      ServiceReport(
        target: service.target, depth: service.depth, uniqueNQN: service.uniqueNQN,
        isConnected: service.phase == .connected,
        generationCounter: service.records == nil ? nil : service.generationCounter, records: service.records ?? [],
        error: service.error)
    }
  }

  /// When ``DiscoveryTrackerEvent/deadline`` is to be sent; nil = never.
  public var nextDeadlineNanoseconds: UInt64? {
    services.values.map(\.nextReadNanoseconds).filter { $0 != .max }.min()
  }

  public mutating func nextAction() -> DiscoveryTrackerAction? { actions.isEmpty ? nil : actions.removeFirst() }

  public mutating func handle(_ event: DiscoveryTrackerEvent, nowNanoseconds now: UInt64) {
    guard !isStopped else { return }
    switch event {
    case .start:
      if order.isEmpty { add(start, depth: 0) }
    case .connected(let identifier, let reportsChanges):
      guard services[identifier]?.phase == .connecting else { return }
      services[identifier]?.phase = .connected
      services[identifier]?.reportsChanges = reportsChanges
      services[identifier]?.isLossTold = false
      services[identifier]?.error = nil
      tell(identifier) { .serviceConnected($0) }
      // Whatever has happened while there was no connection, nobody has told of it.
      read(identifier)
    case .lost(let identifier, let error): lost(identifier, error)
    case .failed(let identifier, let error): failed(identifier, error)
    case .logChanged(let identifier):
      if services[identifier]?.phase == .connected { read(identifier) }
    case .logRead(let identifier, let generationCounter, let entries):
      guard services[identifier]?.isReading == true else { return }
      take(entries, generationCounter: generationCounter, of: identifier, now)
    case .readFailed(let identifier, let error):
      guard services[identifier]?.isReading == true else { return }
      readFailed(identifier, error, now)
    case .deadline:
      for identifier in order where services[identifier]?.nextReadNanoseconds ?? .max <= now { read(identifier) }
    case .stop:
      isStopped = true
      for identifier in order { actions.append(.disconnect(identifier)) }
      if !paths.isEmpty { actions.append(.tell(.detach(paths))) }
      services = [:]
      order = []
      paths = []
    }
  }

  private mutating func tell(_ identifier: DiscoveryServiceIdentifier, _ event: (TargetIdentifier) -> DiscoveryEvent) {
    if let service = services[identifier] { actions.append(.tell(event(service.target))) }
  }

  // MARK: Connections

  private mutating func add(_ target: TargetIdentifier, depth: Int) {
    let identifier = DiscoveryServiceIdentifier(number: nextNumber)
    nextNumber += 1
    services[identifier] = Service(target: target, depth: depth)
    order.append(identifier)
    if depth > 0 { actions.append(.tell(.serviceAdded(target))) }
    actions.append(.connect(identifier, target))
  }

  private mutating func reconnect(_ identifier: DiscoveryServiceIdentifier) {
    guard let service = services[identifier] else { return }
    disconnected(identifier, .connecting)
    actions.append(.connect(identifier, service.connectTarget))
  }

  private mutating func disconnected(_ identifier: DiscoveryServiceIdentifier, _ phase: Phase) {
    services[identifier]?.phase = phase
    services[identifier]?.isReading = false
    services[identifier]?.needsRead = false
    services[identifier]?.nextReadNanoseconds = .max
  }

  private mutating func lost(_ identifier: DiscoveryServiceIdentifier, _ error: ControllerError) {
    guard let service = services[identifier], service.phase != .failed else { return }
    disconnected(identifier, .connecting)
    services[identifier]?.error = .controller(error)
    // Once, not for each attempt.
    if service.isLossTold { return }
    services[identifier]?.isLossTold = true
    tell(identifier) { .serviceLost($0, error) }
  }

  private mutating func failed(_ identifier: DiscoveryServiceIdentifier, _ error: ControllerError) {
    guard let service = services[identifier], service.phase != .failed else { return }
    if service.uniqueNQN != nil {
      // The name by which the user or the referral named it has worked before.
      services[identifier]?.uniqueNQN = nil
      services[identifier]?.hasRefusedUniqueNQN = true
      reconnect(identifier)
      return
    }
    disconnected(identifier, .failed)
    services[identifier]?.error = .controller(error)
    tell(identifier) { .serviceFailed($0, error) }
  }

  /// A discovery subsystem may have a name of its own beside the well-known one, and then shows it in its own entry of the
  /// log. Connected by that, it is the same one after a reconnect (NVMe Base 2.1, section 3.1.3.3).
  private mutating func useUniqueName(_ identifier: DiscoveryServiceIdentifier) {
    guard let service = services[identifier], service.uniqueNQN == nil, !service.hasRefusedUniqueNQN,
      let records = service.records, service.target.subsystemNQN == NVMeQualifiedName.discovery
    else { return }
    let own = records.filter {
      $0.entry.subsystemType == .currentDiscovery && $0.target != nil
        && $0.entry.subsystemNQN != NVMeQualifiedName.discovery
    }
    // Entries of its other ports may lead to other names; then it is the entry of the address it was reached at.
    let names = Set(own.map(\.entry.subsystemNQN))
    let here = own.first {
      $0.target?.port == service.target.port && $0.target?.host.lowercased() == service.target.host.lowercased()
    }
    guard let name = names.count == 1 ? names.first : here?.entry.subsystemNQN else { return }
    services[identifier]?.uniqueNQN = name
    tell(identifier) { .serviceRenamed($0, uniqueNQN: name) }
    reconnect(identifier)
  }

  // MARK: Logs

  private mutating func read(_ identifier: DiscoveryServiceIdentifier) {
    guard let service = services[identifier] else { return }
    services[identifier]?.nextReadNanoseconds = .max
    // One reading at a time: a service that reports changes without end must not make us read without end at once.
    if service.isReading {
      services[identifier]?.needsRead = true
    } else {
      services[identifier]?.isReading = true
      actions.append(.readLog(identifier))
    }
  }

  private mutating func readFailed(_ identifier: DiscoveryServiceIdentifier, _ error: DiscoveryError, _ now: UInt64) {
    guard let service = services[identifier] else { return }
    services[identifier]?.isReading = false
    services[identifier]?.needsRead = false
    services[identifier]?.nextReadNanoseconds =
      now &+ Self.retryNanoseconds << UInt64(min(service.failedReadCount, Self.maximumRetryDoublings))
    services[identifier]?.failedReadCount += 1
    // A lost controller is told of elsewhere.
    if case .controller = error { return }
    services[identifier]?.error = error
    if service.error != error { tell(identifier) { .logUnreadable($0, error) } }
  }

  private mutating func take(
    _ entries: [DiscoveryLogEntry], generationCounter: UInt64, of identifier: DiscoveryServiceIdentifier, _ now: UInt64
  ) {
    guard let service = services[identifier] else { return }
    let others = services.reduce(0) { $1.key == identifier ? $0 : $0 + ($1.value.records?.count ?? 0) }
    guard others + entries.count <= limits.records else {
      readFailed(
        identifier, .tooManyRecords(count: UInt64(entries.count), limit: max(limits.records - others, 0)), now)
      return
    }
    var seen: Set<DiscoveryLogEntry> = []
    let records = entries.filter { seen.insert($0).inserted }.map {
      DiscoveryRecord(entry: $0, source: service.target, depth: service.depth)
    }
    let old = service.records
    services[identifier]?.records = records
    services[identifier]?.generationCounter = generationCounter
    services[identifier]?.isReading = false
    services[identifier]?.failedReadCount = 0
    services[identifier]?.error = nil
    tellChange(identifier, from: old)
    follow(records)
    comparePaths()
    if service.needsRead {
      services[identifier]?.needsRead = false
      read(identifier)
    } else if !service.reportsChanges && pollNanoseconds > 0 {
      services[identifier]?.nextReadNanoseconds = now &+ pollNanoseconds
    }
    useUniqueName(identifier)
  }

  private mutating func tellChange(_ identifier: DiscoveryServiceIdentifier, from old: [DiscoveryRecord]?) {
    guard let service = services[identifier], let records = service.records else { return }
    let (before, after) = (Set((old ?? []).map(\.entry)), Set(records.map(\.entry)))
    let change = DiscoveryLogChange(
      service: service.target, generationCounter: service.generationCounter, recordCount: records.count,
      added: records.filter { !before.contains($0.entry) }, removed: (old ?? []).filter { !after.contains($0.entry) })
    if old == nil || !change.added.isEmpty || !change.removed.isEmpty { actions.append(.tell(.logChanged(change))) }
  }

  // MARK: Referrals

  private func identifier(of target: TargetIdentifier) -> DiscoveryServiceIdentifier? {
    order.first { services[$0]?.isNamed(by: target) ?? false }
  }

  /// Services that no chain of referrals leads to any more go, new ones come, and those named in the log just read that
  /// had been given up are tried again.
  private mutating func follow(_ records: [DiscoveryRecord]) {
    guard let first = order.first else { return }
    var reached: [DiscoveryServiceIdentifier] = [first]
    var isReached: Set = [first]
    var found: [(target: TargetIdentifier, depth: Int)] = []
    var position = 0
    while position < reached.count {
      let service = reached[position]
      position += 1
      let depth = (services[service]?.depth ?? 0) + 1
      for referral in services[service]?.records?.followedReferrals ?? [] {
        guard let target = referral.target else { continue }
        guard let known = identifier(of: target) else {
          found.append((target, depth))
          continue
        }
        guard depth <= limits.depth, isReached.insert(known).inserted else { continue }
        services[known]?.depth = depth
        reached.append(known)
      }
    }
    for gone in order where !isReached.contains(gone) {
      tell(gone) { .serviceRemoved($0) }
      actions.append(.disconnect(gone))
      services[gone] = nil
    }
    order.removeAll { !isReached.contains($0) }
    for case let known? in records.followedReferrals.map({ $0.target.flatMap(identifier(of:)) })
    where services[known]?.phase == .failed { reconnect(known) }
    skippedReferralCount = 0
    for (target, depth) in found where identifier(of: target) == nil {
      if depth <= limits.depth && order.count < limits.services {
        add(target, depth: depth)
      } else {
        skippedReferralCount += 1
      }
    }
  }

  // MARK: Paths

  private mutating func comparePaths() {
    var named: [DiscoveryPath] = []
    var isNamed: Set<DiscoveryPath> = []
    for service in order {
      for case let path? in (services[service]?.records ?? []).map(DiscoveryPath.init)
      where isNamed.insert(path).inserted { named.append(path) }
    }
    let known = Set(paths)
    let (attached, detached) = (named.filter { !known.contains($0) }, paths.filter { !isNamed.contains($0) })
    paths = paths.filter { isNamed.contains($0) } + attached
    // First what comes: a subsystem that moves is never without a path.
    if !attached.isEmpty { actions.append(.tell(.attach(attached))) }
    if !detached.isEmpty { actions.append(.tell(.detach(detached))) }
  }
}
