/// Everything measured of one job, or of a group of jobs.
public struct JobStatistics: Sendable {
  public var directions = PerDirection(
    read: DirectionStatistics(), write: DirectionStatistics(), trim: DirectionStatistics())
  /// Flushes: fio's "sync".
  public var sync = RunningStatistics()
  public var syncHistogram = LatencyHistogram()
  public var depths = DepthCounters()
  public var submitBatches = DepthCounters()
  public var completeBatches = DepthCounters()
  public var latencies = LatencyTable()
  public var usage = ProcessorUsage()
  /// Of all jobs together, in nanoseconds: what processor shares relate to.
  public var totalRuntime: UInt64 = 0
  /// Blocks read back, and those of them that differed.
  public var verifiedBlocks: UInt64 = 0
  public var verifyFailures: UInt64 = 0

  public init() {}

  public mutating func merge(_ other: JobStatistics) {
    for direction in DataDirection.allCases {
      directions[direction].merge(other.directions[direction], concurrent: true)
    }
    sync.merge(other.sync)
    syncHistogram.add(other.syncHistogram)
    depths.add(other.depths)
    submitBatches.add(other.submitBatches)
    completeBatches.add(other.completeBatches)
    latencies.add(other.latencies)
    usage.add(other.usage)
    totalRuntime += other.totalRuntime
    verifiedBlocks += other.verifiedBlocks
    verifyFailures += other.verifyFailures
  }

  /// A copy that shares no storage, for a report while the job goes on.
  public func detachedCopy() -> JobStatistics {
    var copy = self
    for direction in DataDirection.allCases { copy.directions[direction] = directions[direction].detachedCopy() }
    copy.syncHistogram = syncHistogram.detachedCopy()
    copy.latencies = latencies.detachedCopy()
    return copy
  }

  /// Reads, writes and trims together.
  public var mixed: DirectionStatistics {
    var sum = DirectionStatistics()
    for direction in DataDirection.allCases { sum.merge(directions[direction], concurrent: true) }
    return sum
  }

  public var operations: UInt64 {
    DataDirection.allCases.reduce(0) { $0 + directions[$1].operations }
  }

  /// Microseconds of processor time, user and system, for each I/O; 0 without I/O.
  public var processorMicrosecondsPerOperation: Double { perOperation(usage.user + usage.system) }
  public var userMicrosecondsPerOperation: Double { perOperation(usage.user) }
  public var systemMicrosecondsPerOperation: Double { perOperation(usage.system) }

  private func perOperation(_ nanoseconds: UInt64) -> Double {
    let count = operations + sync.count
    return count == 0 ? 0 : Double(nanoseconds) / 1000 / Double(count)
  }
}
