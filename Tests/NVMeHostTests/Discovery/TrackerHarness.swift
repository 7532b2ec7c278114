import NVMeHost
import NVMeProtocol
import Testing

/// A tracker, a clock, and discovery services by address that answer at once.
struct TrackerHarness {
  var tracker: DiscoveryTracker
  var now: UInt64 = 1_000_000_000
  /// Logs by address; an address without one does not answer.
  var logs: [String: [DiscoveryLogEntry]] = [:]
  /// NQNs that are refused.
  var refusedNQNs: Set<String> = []
  var reportsChanges = true
  /// Does not answer Get Log Page when set.
  var holdsReads = false
  private(set) var events: [DiscoveryEvent] = []
  /// What each service was connected as; gone when it is disconnected.
  private(set) var connections: [DiscoveryServiceIdentifier: TargetIdentifier] = [:]
  private(set) var connectCount = 0
  private(set) var readCount = 0
  private var generation: UInt64 = 0

  init(depth: Int = 8, services: Int = 64, records: Int = 16_384, pollMilliseconds: UInt32 = 60_000) {
    var limits = DiscoveryCrawler.Limits()
    limits.depth = depth
    limits.services = services
    limits.records = records
    tracker = DiscoveryTracker(
      start: TargetIdentifier(host: "a", port: 8009), limits: limits, pollMilliseconds: pollMilliseconds)
  }

  var paths: [String] { tracker.paths.map { "\($0.target.host) \($0.target.subsystemNQN)" } }
  var connectedHosts: [String] { connections.values.map(\.host).sorted() }

  func service(_ host: String) throws -> DiscoveryServiceIdentifier {
    try #require(connections.first { $0.value.host == host }?.key)
  }

  mutating func takeEvents() -> [DiscoveryEvent] {
    defer { events = [] }
    return events
  }

  mutating func send(_ event: DiscoveryTrackerEvent) {
    tracker.handle(event, nowNanoseconds: now)
    var steps = 0
    while let action = tracker.nextAction() {
      steps += 1
      guard steps < 10_000 else {
        Issue.record("actions without end")
        return
      }
      carryOut(action)
    }
  }

  mutating func change(_ host: String, _ entries: [DiscoveryLogEntry]) throws {
    logs[host] = entries
    send(.logChanged(try service(host)))
  }

  mutating func passDeadline() throws {
    now = max(now, try #require(tracker.nextDeadlineNanoseconds))
    send(.deadline)
  }

  private mutating func carryOut(_ action: DiscoveryTrackerAction) {
    switch action {
    case .tell(let event): events.append(event)
    case .disconnect(let service): connections[service] = nil
    case .connect(let service, let target):
      connectCount += 1
      connections[service] = target
      if refusedNQNs.contains(target.subsystemNQN) {
        tracker.handle(.failed(service, .unusable("refused")), nowNanoseconds: now)
      } else if logs[target.host] == nil {
        tracker.handle(.lost(service, .disconnected), nowNanoseconds: now)
      } else {
        tracker.handle(.connected(service, reportsChanges: reportsChanges), nowNanoseconds: now)
      }
    case .readLog(let service):
      readCount += 1
      if !holdsReads { answer(service) }
    }
  }

  mutating func answer(_ service: DiscoveryServiceIdentifier) {
    generation += 1
    let entries = connections[service].flatMap { logs[$0.host] }
    if let entries {
      tracker.handle(.logRead(service, generationCounter: generation, entries), nowNanoseconds: now)
    } else {
      tracker.handle(.readFailed(service, .refused(.internalError)), nowNanoseconds: now)
    }
  }
}
