/// What became of a job's paths, and what their losses cost its I/O, ramp time included. Times are in nanoseconds.
public struct PathReport: Sendable, Equatable {
  public struct Path: Sendable, Equatable {
    /// Host and port.
    public var address: String
    /// Why it cannot be used now; nil when it can.
    public var obstacle: String?
    /// It has left I/O unanswered, and is only used where there is no other.
    public var isOnProbation = false
    /// Associations lost.
    public var lossCount: UInt64 = 0
    /// Attempts to connect, the first one included, and those of them that came to nothing.
    public var attemptCount: UInt64 = 0
    public var failedAttemptCount: UInt64 = 0
    public var reconnectCount: UInt64 = 0
    public var longestOutage: UInt64 = 0
    /// Why it was last lost, or why the last attempt failed; nil if neither has happened.
    public var lastTrouble: String?

    public init(address: String, obstacle: String? = nil) {
      self.address = address
      self.obstacle = obstacle
    }

    mutating func merge(_ other: Path) {
      obstacle = obstacle ?? other.obstacle
      isOnProbation = isOnProbation || other.isOnProbation
      lossCount += other.lossCount
      attemptCount += other.attemptCount
      failedAttemptCount += other.failedAttemptCount
      reconnectCount += other.reconnectCount
      longestOutage = max(longestOutage, other.longestOutage)
      lastTrouble = lastTrouble ?? other.lastTrouble
    }
  }

  /// In the order given.
  public var paths: [Path] = []
  /// I/Os sent again on the path they had failed on, at the controller's word.
  public var retryCount: UInt64 = 0
  /// I/Os sent again on another path.
  public var failoverCount: UInt64 = 0
  /// I/Os that had to wait for a path, a retry delay or a fence.
  public var holdCount: UInt64 = 0
  /// Writes of unknown outcome that waited until their old path could not execute them any more.
  public var fenceCount: UInt64 = 0
  /// Writes of unknown outcome that were sent again at once.
  public var unfencedResendCount: UInt64 = 0
  public var failureCount: UInt64 = 0
  /// The longest time from an I/O's first failure or hold to its end.
  public var longestHold: UInt64 = 0

  public init() {}

  /// Adds what another channel, connection or job has seen; paths with the same address become one.
  public mutating func merge(_ other: PathReport) {
    for path in other.paths {
      if let index = paths.firstIndex(where: { $0.address == path.address }) {
        paths[index].merge(path)
      } else {
        paths.append(path)
      }
    }
    retryCount += other.retryCount
    failoverCount += other.failoverCount
    holdCount += other.holdCount
    fenceCount += other.fenceCount
    unfencedResendCount += other.unfencedResendCount
    failureCount += other.failureCount
    longestHold = max(longestHold, other.longestHold)
  }
}
