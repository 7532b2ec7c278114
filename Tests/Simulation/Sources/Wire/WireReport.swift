/// What the worlds of ``WireWorld`` have seen: a simulation in which nothing happens proves nothing.
public struct WireReport: Sendable, Equatable {
  public var requestCount = 0
  public var successCount = 0
  public var unknownCount = 0
  public var connectionCount = 0
  public var lossCount: UInt64 = 0
  public var reconnectCount: UInt64 = 0
  public var failoverCount: UInt64 = 0
  public var fenceCount: UInt64 = 0
  public var retryCount: UInt64 = 0
  /// Bits changed on the way.
  public var corruptionCount = 0
  public var duplicateCount = 0
  /// Writes that a controller has executed after its host had been lost.
  public var lateExecutionCount = 0
  /// All that has happened, in a number.
  public var trace: UInt64 = 0

  public init() {}

  public static func + (a: Self, b: Self) -> Self {
    var sum = a
    sum.requestCount += b.requestCount
    sum.successCount += b.successCount
    sum.unknownCount += b.unknownCount
    sum.connectionCount += b.connectionCount
    sum.lossCount += b.lossCount
    sum.reconnectCount += b.reconnectCount
    sum.failoverCount += b.failoverCount
    sum.fenceCount += b.fenceCount
    sum.retryCount += b.retryCount
    sum.corruptionCount += b.corruptionCount
    sum.duplicateCount += b.duplicateCount
    sum.lateExecutionCount += b.lateExecutionCount
    sum.trace ^= b.trace
    return sum
  }
}
