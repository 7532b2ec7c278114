/// How a multipath device spreads requests over its paths. Paths in the ANA state optimized always come before those
/// that are non-optimized, and both before those on probation (``MultipathSnapshot/Path/isOnProbation``); others are not used.
public struct MultipathPolicy: Sendable, Hashable {
  public enum Spread: Sendable, Hashable {
    /// All requests go one path; another one is used when it cannot be any more.
    case activePassive
    /// Requests go over all the best paths.
    case activeActive(Selector)
  }

  /// Which of several equally good paths takes the next request.
  public enum Selector: Sendable, Hashable {
    /// One after the other, so many requests at a time, from 1.
    case roundRobin(minimumIO: UInt32)
    /// The one with the fewest requests outstanding.
    case queueDepth
    /// The one on which a request is expected to end first: by the times that requests took, and those outstanding.
    case latency
  }

  public let spread: Spread
  /// Only paths whose network adapter is on the reactor's own NUMA node are used, as long as there is one.
  public var prefersLocalNUMANode: Bool
  /// Whether an active/passive device goes back to a better path when that one returns. Off: it stays until the path it
  /// uses is lost, or its ANA state gets worse.
  public var failsBackAutomatically: Bool

  public static let activePassive = MultipathPolicy(validSpread: .activePassive)

  /// - Throws: ``MultipathPolicyError``.
  public init(
    _ spread: Spread, prefersLocalNUMANode: Bool = false, failsBackAutomatically: Bool = true
  ) throws(MultipathPolicyError) {
    if case .activeActive(.roundRobin(minimumIO: 0)) = spread {
      throw MultipathPolicyError(field: "minimumIO", value: "0", rule: "it is at least 1 for the selector round_robin")
    }
    self.init(validSpread: spread)
    self.prefersLocalNUMANode = prefersLocalNUMANode
    self.failsBackAutomatically = failsBackAutomatically
  }

  private init(validSpread: Spread) {
    spread = validSpread
    prefersLocalNUMANode = false
    failsBackAutomatically = true
  }
}
