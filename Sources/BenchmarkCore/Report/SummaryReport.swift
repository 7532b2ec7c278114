/// One line a job and direction: IOPS, bandwidth, completion latency at 50, 99 and 99.9 percent, processor time an I/O
/// and its share in user and system mode.
struct SummaryReport {
  static func render(_ report: RunReport) -> String {
    let head = ["job", "IOPS", "bandwidth", "p50 us", "p99 us", "p99.9 us", "cpu us/io", "user", "system", "errors"]
    var rows = [head]
    for entry in report.entries {
      let active = DataDirection.allCases.filter { entry.statistics.directions[$0].operations > 0 }
      for direction in active {
        rows.append(row(entry, active.count > 1 ? " \(direction.label)" : "", entry.statistics.directions[direction]))
      }
      if active.isEmpty { rows.append(row(entry, "", DirectionStatistics())) }
    }
    let widths = head.indices.map { column in rows.map { $0[column].count }.max() ?? 0 }
    var text = ""
    for row in rows {
      var line = row[0] + String(repeating: " ", count: widths[0] - row[0].count)
      for column in 1..<row.count { line += "  " + Formatting.padded(row[column], widths[column]) }
      text += line + "\n"
    }
    for entry in report.entries {
      if let paths = entry.statistics.paths {
        let lost = paths.paths.reduce(0) { $0 + $1.lossCount }
        text +=
          "\(entry.name): paths lost \(lost) times, "
          + "longest I/O \(Formatting.fixed(Double(entry.statistics.longestOperation) / 1e6, 1)) ms, "
          + "\(paths.failoverCount) failovers, \(paths.retryCount) retries, \(paths.fenceCount) fences\n"
      }
      if let failure = entry.failure { text += "\(entry.name): \(failure.message)\n" }
    }
    return text
  }

  private static func row(_ entry: ReportEntry, _ suffix: String, _ statistics: DirectionStatistics) -> [String] {
    // With lat_percentiles alone there is no completion histogram; total latency is the closest then.
    let histogram =
      statistics.completionHistogram.total > 0 ? statistics.completionHistogram : statistics.totalHistogram
    let percentiles = histogram.percentiles([50, 99, 99.9]).map {
      Formatting.fixed(Double($0.nanoseconds) / 1000, 1)
    }
    let bandwidth = Formatting.whole(statistics.bytesPerSecond)
    return [
      entry.name + suffix,
      Formatting.scaled(Formatting.whole(statistics.operationsPerSecond), figures: 4, .decimal),
      Formatting.binaryBytes(bandwidth) + "/s",
    ] + (percentiles.isEmpty ? ["-", "-", "-"] : percentiles) + [
      Formatting.fixed(entry.statistics.processorMicrosecondsPerOperation, 2),
      Formatting.fixed(entry.statistics.userMicrosecondsPerOperation, 2),
      Formatting.fixed(entry.statistics.systemMicrosecondsPerOperation, 2), String(entry.failureCount),
    ]
  }
}
