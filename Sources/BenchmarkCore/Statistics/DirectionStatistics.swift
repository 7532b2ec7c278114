/// What was measured of one direction. Times in nanoseconds.
public struct DirectionStatistics: Sendable {
  public var operations: UInt64 = 0
  public var byteCount: UInt64 = 0
  /// I/Os that failed; they are not in `operations`.
  public var failures: UInt64 = 0
  /// How long the direction was in use.
  public var runtime: UInt64 = 0
  public var submission = RunningStatistics()
  public var completion = RunningStatistics()
  public var total = RunningStatistics()
  public var submissionHistogram = LatencyHistogram()
  public var completionHistogram = LatencyHistogram()
  public var totalHistogram = LatencyHistogram()
  /// Samples of KiB/s.
  public var bandwidth = RunningStatistics()
  public var iops = RunningStatistics()

  public init() {}

  /// Joins another job's measurements. `concurrent`: both ran at the same time, so their rates add.
  public mutating func merge(_ other: DirectionStatistics, concurrent: Bool) {
    operations += other.operations
    byteCount += other.byteCount
    failures += other.failures
    runtime = max(runtime, other.runtime)
    submission.merge(other.submission)
    completion.merge(other.completion)
    total.merge(other.total)
    submissionHistogram.add(other.submissionHistogram)
    completionHistogram.add(other.completionHistogram)
    totalHistogram.add(other.totalHistogram)
    if concurrent {
      bandwidth.addConcurrent(other.bandwidth)
      iops.addConcurrent(other.iops)
    } else {
      bandwidth.merge(other.bandwidth)
      iops.merge(other.iops)
    }
  }

  func detachedCopy() -> DirectionStatistics {
    var copy = self
    copy.submissionHistogram = submissionHistogram.detachedCopy()
    copy.completionHistogram = completionHistogram.detachedCopy()
    copy.totalHistogram = totalHistogram.detachedCopy()
    return copy
  }

  public var bytesPerSecond: Double { runtime == 0 ? 0 : Double(byteCount) * 1e9 / Double(runtime) }
  public var operationsPerSecond: Double { runtime == 0 ? 0 : Double(operations) * 1e9 / Double(runtime) }
}
