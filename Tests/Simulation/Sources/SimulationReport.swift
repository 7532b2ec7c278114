public import BlockDevice

/// What one seed's world has seen: a simulation in which nothing happens proves nothing.
public struct SimulationReport: Sendable {
  public var requestCount = 0
  public var successCount = 0
  public var unknownCount = 0
  public var lossCount: UInt64 = 0
  public var reconnectCount: UInt64 = 0
  /// Writes that a controller has executed after the host had given its connection up.
  public var lateExecutionCount = 0
  public var statistics = MultipathStatistics()

  public init() {}

  public static func + (a: Self, b: Self) -> Self {
    var sum = a
    sum.requestCount += b.requestCount
    sum.successCount += b.successCount
    sum.unknownCount += b.unknownCount
    sum.lossCount += b.lossCount
    sum.reconnectCount += b.reconnectCount
    sum.lateExecutionCount += b.lateExecutionCount
    sum.statistics = a.statistics + b.statistics
    return sum
  }
}
