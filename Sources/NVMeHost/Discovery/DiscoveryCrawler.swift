public import NVMeProtocol

/// Follows referrals from one discovery service to others, sans-I/O: take ``nextService()``, read its log, hand it to
/// ``handle(_:entries:)`` or ``handle(_:error:)``, until there is no service left.
///
/// Each service is asked once: it is known by address, port and NQN, so that referrals in a circle end. Depth, number
/// of services and number of records are bounded.
public struct DiscoveryCrawler: Sendable {
  public struct Limits: Hashable, Sendable {
    /// Referrals in a row that are followed; 0: none.
    public var depth = 8
    public var services = 64
    public var records = 16_384

    public init() {}
  }

  /// A service to ask.
  public struct Service: Hashable, Sendable {
    public var target: TargetIdentifier
    /// Referrals that led to it.
    public var depth: Int
  }

  /// A service that could not be asked.
  public struct Failure: Error, Hashable, Sendable {
    public var target: TargetIdentifier
    public var error: DiscoveryError
  }

  private struct Key: Hashable {
    var host: String
    var port: UInt16
    var subsystemNQN: String

    init(_ target: TargetIdentifier) {
      host = target.host.lowercased()
      port = target.port
      subsystemNQN = target.subsystemNQN
    }
  }

  /// In the order found, entries of other transports included; entries that several services gave come once.
  public private(set) var records: [DiscoveryRecord] = []
  public private(set) var failures: [Failure] = []
  /// Referrals that were not followed as a limit was reached.
  public private(set) var skippedReferrals: [DiscoveryRecord] = []
  /// Entries that were dropped as there were too many.
  public private(set) var droppedRecordCount = 0

  private let limits: Limits
  private var waiting: [Service]
  private var known: Set<Key>
  private var seenEntries: Set<DiscoveryLogEntry> = []

  public init(start: TargetIdentifier, limits: Limits = Limits()) {
    self.limits = limits
    waiting = [Service(target: start, depth: 0)]
    known = [Key(start)]
  }

  /// Takes the next service to ask; nil if none waits.
  public mutating func nextService() -> Service? {
    waiting.isEmpty ? nil : waiting.removeFirst()
  }

  /// Takes a service's log.
  public mutating func handle(_ service: Service, entries: [DiscoveryLogEntry]) {
    var own: [DiscoveryRecord] = []
    for entry in entries {
      // Before it is remembered: what is remembered is bounded, too.
      guard records.count + own.count < limits.records else {
        droppedRecordCount += 1
        continue
      }
      guard seenEntries.insert(entry).inserted else { continue }
      let record = DiscoveryRecord(entry: entry, source: service.target, depth: service.depth)
      own.append(record)
    }
    records += own
    for record in own.followedReferrals {
      if let target = record.target { follow(target, record) }
    }
  }

  /// Takes note that a service could not be asked; the others go on.
  public mutating func handle(_ service: Service, error: DiscoveryError) {
    failures.append(Failure(target: service.target, error: error))
  }

  private mutating func follow(_ target: TargetIdentifier, _ record: DiscoveryRecord) {
    guard !known.contains(Key(target)) else { return }
    guard record.depth < limits.depth, known.count < limits.services else {
      skippedReferrals.append(record)
      return
    }
    known.insert(Key(target))
    waiting.append(Service(target: target, depth: record.depth + 1))
  }
}
