public import NVMeProtocol

/// An entry of a discovery log, together with where it was found and what can be done with it.
public struct DiscoveryRecord: Hashable, Sendable {
  public var entry: DiscoveryLogEntry
  /// The discovery service that gave it.
  public var source: TargetIdentifier
  /// Referrals that led to the source; 0: the service that was asked first.
  public var depth: Int
  /// Where to connect, for subsystems with I/O controllers and for referrals alike; nil if that cannot be done.
  public var target: TargetIdentifier?
  /// Why `target` is nil.
  public var unusableReason: String?

  public init(entry: DiscoveryLogEntry, source: TargetIdentifier, depth: Int) {
    self.entry = entry
    self.source = source
    self.depth = depth
    switch Self.target(of: entry, source: source) {
    case .success(let target): self.target = target
    case .failure(let refusal): unusableReason = refusal.reason
    }
  }

  /// Whether it is a subsystem with I/O controllers that we can connect to; entries of other transports are not.
  public var isConnectable: Bool { target != nil && entry.subsystemType == .nvm }

  /// Whether it leads to another discovery service that we can ask.
  public var isReferral: Bool { target != nil && entry.subsystemType == .referral }

  private struct Refusal: Error {
    var reason: String
  }

  private static func target(
    of entry: DiscoveryLogEntry, source: TargetIdentifier
  ) -> Result<TargetIdentifier, Refusal> {
    func refuse(_ reason: String) -> Result<TargetIdentifier, Refusal> { .failure(Refusal(reason: reason)) }
    guard entry.transportType == .tcp else { return refuse("transport \(entry.transportType) is not supported") }
    guard !entry.requiresSecureChannel else {
      return refuse("it requires a secure channel (TLS), which is not supported yet")
    }
    if let problem = NVMeQualifiedName.problem(with: entry.subsystemNQN) {
      return refuse("its subsystem NQN is not valid: \(problem)")
    }
    // For TCP, TRSVCID is a port number.
    guard let port = UInt16(entry.serviceIdentifier), port > 0 else {
      return refuse("its service identifier \"\(entry.serviceIdentifier)\" is not a port number")
    }
    let options = TargetOptions(text: entry.transportAddress)
    do throws(TargetIdentifierError) {
      try options.checkHost(entry.transportAddress, part: entry.transportAddress)
    } catch {
      return refuse("its address \"\(entry.transportAddress)\" is not valid: \(error.problem)")
    }
    // Digests, keep alive and who we are go on as the user asked of the service that gave the entry; which namespace
    // and how many queues do not.
    var target = source
    target.host = entry.transportAddress
    target.port = port
    target.subsystemNQN = entry.subsystemNQN
    target.namespaceIdentifier = nil
    return .success(target)
  }
}
