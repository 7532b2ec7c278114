/// One result of a report: a job, or several joined by group_reporting.
public struct ReportEntry: Sendable {
  public var name: String
  public var groupIdentifier: Int
  public var jobCount: Int
  public var options: JobOptions
  public var statistics: JobStatistics
  public var failure: JobFailure?
  public var failureCount: UInt64
  public var threadIdentifier: Int32
  /// Seconds since 1970 when the last of its jobs ended.
  public var endSeconds: Int
  /// Seconds from the start of the run to then, rounded up.
  public var elapsedSeconds: Int

  public init(
    name: String, groupIdentifier: Int, options: JobOptions, outcome: JobOutcome, endSeconds: Int, elapsedSeconds: Int
  ) {
    self.name = name
    self.groupIdentifier = groupIdentifier
    jobCount = 1
    self.options = options
    statistics = outcome.statistics
    failure = outcome.failure
    failureCount = outcome.failureCount
    threadIdentifier = outcome.threadIdentifier
    self.endSeconds = endSeconds
    self.elapsedSeconds = elapsedSeconds
  }

  /// I/Os that were kept in flight: as the options say, or what `latency_target` has come to.
  var depth: Int { statistics.searchedDepth ?? Int(options.totalDepth) }

  mutating func join(_ other: ReportEntry) {
    jobCount += other.jobCount
    statistics.merge(other.statistics)
    if failure == nil { failure = other.failure }
    failureCount += other.failureCount
    endSeconds = max(endSeconds, other.endSeconds)
    elapsedSeconds = max(elapsedSeconds, other.elapsedSeconds)
  }

  /// Applies fio's group_reporting: a job joins the entry before it when both ask for it and share the group.
  public static func joined(_ entries: [ReportEntry]) -> [ReportEntry] {
    var result: [ReportEntry] = []
    for entry in entries where entry.options.reportsStatistics {
      if let last = result.last, entry.options.groupReporting, last.options.groupReporting,
        last.groupIdentifier == entry.groupIdentifier
      {
        result[result.count - 1].join(entry)
      } else {
        result.append(entry)
      }
    }
    return result
  }
}
