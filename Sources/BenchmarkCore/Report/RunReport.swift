internal import BlockDevice

/// Everything a report is made of.
public struct RunReport: Sendable {
  /// The program's version as it appears in reports.
  public static let version = PackageVersion.current

  /// A job's failure.
  public struct Failure: Sendable {
    public var jobName: String
    public var failure: JobFailure
  }

  public var entries: [ReportEntry]
  /// Of all jobs, also of those that no entry tells of.
  public var failures: [Failure]
  public var globalOptions: [GivenOption]
  /// Facts about the run that a reader must know, such as an embedded target.
  public var notes: [String]
  /// The devices used, by name.
  public var targets: [String]
  public var timestampMilliseconds: Int

  /// - Parameter entries: of each job, which are joined as their options say.
  public init(
    entries: [ReportEntry], globalOptions: [GivenOption] = [], notes: [String] = [], targets: [String] = [],
    timestampMilliseconds: Int
  ) {
    self.entries = ReportEntry.joined(entries)
    failures = entries.compactMap { entry in entry.failure.map { Failure(jobName: entry.name, failure: $0) } }
    self.globalOptions = globalOptions
    self.notes = notes
    self.targets = targets
    self.timestampMilliseconds = timestampMilliseconds
  }

  var groupIdentifiers: [Int] { Array(Set(entries.map(\.groupIdentifier))).sorted() }

  /// Of one direction over a group: what "Run status" shows.
  struct GroupDirection {
    var byteCount: UInt64 = 0
    var shortestRuntime = UInt64.max
    var longestRuntime: UInt64 = 0
    var lowestBandwidth = Double.infinity
    var highestBandwidth = 0.0

    /// Bytes a second: all bytes over the longest runtime.
    var bandwidth: Double { longestRuntime == 0 ? 0 : Double(byteCount) * 1e9 / Double(longestRuntime) }

    mutating func add(_ statistics: DirectionStatistics) {
      guard statistics.byteCount > 0 else { return }
      byteCount += statistics.byteCount
      shortestRuntime = min(shortestRuntime, statistics.runtime)
      longestRuntime = max(longestRuntime, statistics.runtime)
      lowestBandwidth = min(lowestBandwidth, statistics.bytesPerSecond)
      highestBandwidth = max(highestBandwidth, statistics.bytesPerSecond)
    }
  }

  func groupDirection(_ group: Int, _ direction: DataDirection) -> GroupDirection {
    var result = GroupDirection()
    for entry in entries where entry.groupIdentifier == group {
      result.add(entry.statistics.directions[direction])
    }
    return result
  }

  func groupMixed(_ group: Int) -> GroupDirection {
    var result = GroupDirection()
    for entry in entries where entry.groupIdentifier == group { result.add(entry.statistics.mixed) }
    return result
  }

  /// The share of its group's bandwidth that an entry had, in percent, by the means of its samples.
  func sharePercent(_ statistics: DirectionStatistics, of group: GroupDirection) -> Double {
    guard group.bandwidth > 0 else { return 0 }
    return min(100, statistics.bandwidth.mean * 1024 * 100 / group.bandwidth)
  }
}
