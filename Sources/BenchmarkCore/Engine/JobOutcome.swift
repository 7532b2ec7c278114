/// What is left of a job when it has ended.
public struct JobOutcome: Sendable {
  public var statistics: JobStatistics
  /// The first failure.
  public var failure: JobFailure?
  /// All failures, counted.
  public var failureCount: UInt64
  /// The kernel's thread identifier.
  public var threadIdentifier: Int32
  /// It was over before its ramp was: what its statistics tell of was not to be measured.
  public var endedInRamp = false
  /// It was over before its depth for `latency_target` was found: what its statistics tell of is all depths tried.
  public var searchIsUnfinished = false
  /// I/Os that were due by its rate when it ended, and had not been issued, about: no latency tells of their waiting.
  public var overdueCount: UInt64 = 0
  /// What its logs are written from; nil where none is wanted.
  public var log: IOLog?
  public var histogramLog: HistogramLog?

  public init(
    statistics: JobStatistics = JobStatistics(), failure: JobFailure? = nil, failureCount: UInt64 = 0,
    threadIdentifier: Int32 = 0, log: IOLog? = nil,
    histogramLog: HistogramLog? = nil
  ) {
    self.statistics = statistics
    self.failure = failure
    self.failureCount = failureCount
    self.threadIdentifier = threadIdentifier
    self.log = log
    self.histogramLog = histogramLog
  }
}
