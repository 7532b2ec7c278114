/// What a multipath channel or device has seen so far. Reading it is always safe.
public struct MultipathStatistics: Sendable, Hashable {
  /// Requests sent again on the path they had failed on, at the controller's word.
  public var retryCount: UInt64 = 0
  /// Requests sent again on another path.
  public var failoverCount: UInt64 = 0
  /// Requests that had to wait for a path, a retry delay or a fence.
  public var holdCount: UInt64 = 0
  /// Requests held now.
  public var heldCount: UInt64 = 0
  /// Modifying requests of unknown outcome that waited until their old path was quiesced.
  public var fenceCount: UInt64 = 0
  /// Modifying requests of unknown outcome sent again without that wait, as the policy allows.
  public var unfencedResendCount: UInt64 = 0
  /// Requests that failed in the end.
  public var failureCount: UInt64 = 0
  /// Times a path was found lost with requests outstanding.
  public var pathLossCount: UInt64 = 0
  /// The longest time from a request's first failure or hold to its end, in nanoseconds.
  public var longestStallNanoseconds: UInt64 = 0

  public init() {}

  /// Both together.
  public static func + (a: Self, b: Self) -> Self {
    var sum = a
    sum.retryCount += b.retryCount
    sum.failoverCount += b.failoverCount
    sum.holdCount += b.holdCount
    sum.heldCount += b.heldCount
    sum.fenceCount += b.fenceCount
    sum.unfencedResendCount += b.unfencedResendCount
    sum.failureCount += b.failureCount
    sum.pathLossCount += b.pathLossCount
    sum.longestStallNanoseconds = max(a.longestStallNanoseconds, b.longestStallNanoseconds)
    return sum
  }
}
