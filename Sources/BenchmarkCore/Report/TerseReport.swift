/// fio's terse format, version 3: a line a job, fields apart by semicolons, reads and writes whether there were any or
/// not. Latencies are in microseconds, bandwidths in KiB/s.
struct TerseReport {
  /// fio has room for so many percentiles, given or not.
  private static let percentilePlaces = 20

  static func render(_ report: RunReport) -> String {
    report.entries.map { line($0, report) + "\n" }.joined()
  }

  private static func line(_ entry: ReportEntry, _ report: RunReport) -> String {
    let statistics = entry.statistics
    var fields = [
      "3", "fio-3.33", entry.name, String(entry.groupIdentifier), String(entry.failure?.code ?? 0),
    ]
    if entry.options.unifiedReporting == .mixed {
      fields += direction(statistics.mixed, entry, report.groupMixed(entry.groupIdentifier), report)
    } else {
      for direction in [DataDirection.read, .write] {
        let group = report.groupDirection(entry.groupIdentifier, direction)
        fields += self.direction(statistics.directions[direction], entry, group, report)
      }
    }
    let runtime = Double(statistics.totalRuntime)
    for time in [statistics.usage.user, statistics.usage.system] {
      fields.append(Formatting.fixed(runtime == 0 ? 0 : Double(time) * 100 / runtime, 6) + "%")
    }
    fields += [statistics.usage.contextSwitches, statistics.usage.majorFaults, statistics.usage.minorFaults]
      .map { String($0) }
    for index in 0..<7 {
      let share = LatencyShare.depthPercent(statistics.depths.counts[index], of: statistics.depths.total)
      fields.append(Formatting.fixed(share, 1) + "%")
    }
    let latencies = statistics.latencies
    let total = latencies.counts.reduce(0, +)
    // What took less than a microsecond counts as less than two.
    var microseconds = Array(latencies.microsecondCounts)
    microseconds[0] += latencies.nanosecondCounts.reduce(0, +)
    for count in microseconds + latencies.millisecondCounts {
      fields.append(Formatting.fixed(LatencyShare.percent(count, of: total), 2) + "%")
    }
    if !entry.options.continueOnError.isEmpty {
      fields += [String(entry.failureCount), String(entry.failure?.code ?? 0)]
    }
    if let description = entry.options.description { fields.append(description) }
    return fields.joined(separator: ";")
  }

  private static func direction(
    _ statistics: DirectionStatistics, _ entry: ReportEntry, _ group: RunReport.GroupDirection, _ report: RunReport
  ) -> [String] {
    var fields = [
      statistics.byteCount / 1024, Formatting.whole(statistics.bytesPerSecond) / 1024,
      Formatting.whole(statistics.operationsPerSecond), (statistics.runtime + 500_000) / 1_000_000,
    ].map { String($0) }
    fields += latency(statistics.submission)
    fields += latency(statistics.completion)
    // fio has percentiles of the total latency there where those of the completion are not wanted.
    let histogram =
      entry.options.reportsCompletionPercentiles ? statistics.completionHistogram : statistics.totalHistogram
    let found = histogram.percentiles(entry.options.percentiles)
    for (index, percent) in entry.options.percentiles.prefix(percentilePlaces).enumerated() {
      let value = index < found.count ? found[index].nanoseconds / 1000 : 0
      fields.append("\(Formatting.fixed(percent, 6))%=\(value)")
    }
    let rest = percentilePlaces - min(percentilePlaces, entry.options.percentiles.count)
    fields += [String](repeating: "0%=0", count: rest)
    fields += latency(statistics.total)
    fields += [
      String(statistics.bandwidth.reportedMinimum), String(statistics.bandwidth.maximum),
      Formatting.fixed(report.sharePercent(statistics, of: group), 6) + "%",
      Formatting.fixed(statistics.bandwidth.mean, 6), Formatting.fixed(statistics.bandwidth.standardDeviation, 6),
    ]
    return fields
  }

  private static func latency(_ values: RunningStatistics) -> [String] {
    [
      String(values.reportedMinimum / 1000), String(values.maximum / 1000), Formatting.fixed(values.mean / 1000, 6),
      Formatting.fixed(values.standardDeviation / 1000, 6),
    ]
  }
}
