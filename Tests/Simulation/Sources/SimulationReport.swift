public import BlockDevice

/// What a world of either kind has seen: a simulation in which nothing happens proves nothing.
public struct SimulationReport: Sendable, Equatable {
  public var requestCount = 0
  public var successCount = 0
  public var unknownCount = 0
  public var lossCount: UInt64 = 0
  public var reconnectCount: UInt64 = 0
  /// Losses of controllers that left I/O commands unanswered, and probes of theirs that were answered afterwards.
  public var unansweredCount = 0
  public var answeredProbeCount = 0
  /// Of ``WireWorld``: worlds in which a path that does no I/O is all that is wrong, and the requests that waited for it.
  public var halfDeadCount = 0
  public var stalledCount = 0
  /// Writes that a controller has executed after the host had given its connection up.
  public var lateExecutionCount = 0
  public var statistics = MultipathStatistics()
  /// Of ``WireWorld``: connections, bits changed on the way, and answers given twice.
  public var connectionCount = 0
  public var corruptionCount = 0
  public var duplicateCount = 0
  /// Of ``WireWorld``: all that has happened, in a number.
  public var trace: UInt64 = 0

  public init() {}

  public static func + (a: Self, b: Self) -> Self {
    var sum = a
    sum.requestCount += b.requestCount
    sum.successCount += b.successCount
    sum.unknownCount += b.unknownCount
    sum.lossCount += b.lossCount
    sum.reconnectCount += b.reconnectCount
    sum.unansweredCount += b.unansweredCount
    sum.answeredProbeCount += b.answeredProbeCount
    sum.halfDeadCount += b.halfDeadCount
    sum.stalledCount += b.stalledCount
    sum.lateExecutionCount += b.lateExecutionCount
    sum.statistics = a.statistics + b.statistics
    sum.connectionCount += b.connectionCount
    sum.corruptionCount += b.corruptionCount
    sum.duplicateCount += b.duplicateCount
    sum.trace ^= b.trace
    return sum
  }
}
