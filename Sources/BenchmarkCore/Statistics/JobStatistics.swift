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
  /// When measuring began and ended, nanoseconds of CLOCK_MONOTONIC; nil before.
  public var measuredTime: ClosedRange<UInt64>?
  /// Blocks read back, and those of them that differed.
  public var verifiedBlocks: UInt64 = 0
  public var verifyFailures: UInt64 = 0

  /// The longest an I/O took that failed, from its start to its end, in nanoseconds; 0 without failures.
  public var longestFailure: UInt64 = 0
  /// The depth that `latency_target` has come to; nil without one.
  public var searchedDepth: Int?
  /// What became of the job's paths; nil where a lost connection is the end.
  public var paths: PathReport?

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
    if let others = other.measuredTime {
      let own = measuredTime ?? others
      measuredTime = min(own.lowerBound, others.lowerBound)...max(own.upperBound, others.upperBound)
    }
    verifiedBlocks += other.verifiedBlocks
    verifyFailures += other.verifyFailures
    longestFailure = max(longestFailure, other.longestFailure)
    searchedDepth = searchedDepth ?? other.searchedDepth
    if let others = other.paths {
      var sum = paths ?? PathReport()
      sum.merge(others)
      paths = sum
    }
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

  /// The longest an I/O took, failed or not, in nanoseconds; successful reads, writes and trims count only where total
  /// latency is measured.
  public var longestOperation: UInt64 {
    DataDirection.allCases.reduce(max(longestFailure, sync.maximum)) { max($0, directions[$1].total.maximum) }
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
