/// fio's result for people. Its form is kept line by line, since scripts read it; what is ours alone stands in lines of
/// its own ("cpu per io", "verify", "paths", "note").
struct NormalReport {
  private let report: RunReport
  private var text = ""

  static func render(_ report: RunReport) -> String {
    var renderer = NormalReport(report: report)
    for entry in report.entries { renderer.entry(entry) }
    renderer.groups()
    return renderer.text
  }

  private init(report: RunReport) {
    self.report = report
  }

  private mutating func line(_ line: String) {
    text += line
    text += "\n"
  }

  // MARK: - One job

  private mutating func entry(_ entry: ReportEntry) {
    let error: String
    if let failure = entry.failure {
      error = "err=\(Formatting.padded(String(failure.code), 2)) (\(failure.message))"
    } else {
      error = "err= 0"
    }
    line(
      "\(entry.name): (groupid=\(entry.groupIdentifier), jobs=\(entry.jobCount)): \(error): "
        + "pid=\(entry.threadIdentifier): \(Formatting.date(entry.endSeconds))")
    if let description = entry.options.description { line("  Description  : [\(description)]") }
    let statistics = entry.statistics
    if entry.options.unifiedReporting != .mixed {
      for direction in DataDirection.allCases where statistics.directions[direction].operations > 0 {
        self.direction(
          direction.label, statistics.directions[direction], entry,
          report.groupDirection(entry.groupIdentifier, direction))
      }
    }
    if entry.options.unifiedReporting != .separate, statistics.operations > 0 {
      direction("mixed", statistics.mixed, entry, report.groupMixed(entry.groupIdentifier))
    }
    latencyTable(statistics)
    if statistics.sync.count > 0 {
      line("  fsync/fdatasync/sync_file_range:")
      latency("sync", statistics.sync, indent: "    ")
      percentiles("sync", statistics.syncHistogram, entry.options.percentiles)
    }
    processor(statistics)
    depths(entry)
    if statistics.verifiedBlocks > 0 {
      line("  verify       : blocks=\(statistics.verifiedBlocks), failed=\(statistics.verifyFailures)")
    }
    if let paths = statistics.paths { self.paths(paths, statistics) }
    if entry.failureCount > 0 { line("  errors       : total=\(entry.failureCount)") }
  }

  private mutating func direction(
    _ label: String, _ statistics: DirectionStatistics, _ entry: ReportEntry, _ group: RunReport.GroupDirection
  ) {
    let options = entry.options
    let figures = options.significantFigures
    let iops = Formatting.scaled(Formatting.whole(statistics.operationsPerSecond), figures: figures, .decimal)
    let bandwidth = Formatting.whole(statistics.bytesPerSecond)
    line(
      "  \(Formatting.padded(label, 4)): IOPS=\(iops), BW=\(Formatting.binaryBytes(bandwidth, figures: figures))/s "
        + "(\(Formatting.decimalBytes(bandwidth, figures: figures))/s)"
        + "(\(Formatting.binaryBytes(statistics.byteCount, figures: figures))/"
        + "\((statistics.runtime + 500_000) / 1_000_000)msec)" + (label == "write" ? "; 0 zone resets" : ""))
    latency("slat", statistics.submission, indent: "    ")
    latency("clat", statistics.completion, indent: "    ")
    latency(" lat", statistics.total, indent: "    ")
    percentiles("slat", statistics.submissionHistogram, options.percentiles)
    percentiles("clat", statistics.completionHistogram, options.percentiles)
    percentiles("lat", statistics.totalHistogram, options.percentiles)
    samples(statistics, report.sharePercent(statistics, of: group))
  }

  /// The unit that fits: nanoseconds, or larger ones when even the smallest value has some.
  private static func unit(
    _ minimum: UInt64, _ maximum: UInt64, deviation: Double?
  ) -> (name: String, divisor: UInt64) {
    if minimum > 2_000_000, maximum > 99_999_999, deviation ?? .infinity > 1_000_000 { return ("msec", 1_000_000) }
    if minimum > 2000, maximum > 99_999, deviation ?? .infinity > 1000 { return ("usec", 1000) }
    return ("nsec", 1)
  }

  private mutating func latency(_ label: String, _ values: RunningStatistics, indent: String) {
    guard values.count > 0 else { return }
    let deviation = values.standardDeviation
    let (name, divisor) = Self.unit(values.minimum, values.maximum, deviation: deviation)
    let minimum = Formatting.scaled(values.minimum / divisor, figures: 6, .decimal)
    let maximum = Formatting.scaled(values.maximum / divisor, figures: 6, .decimal)
    let mean = Formatting.padded(Formatting.fixed(values.mean / Double(divisor), 2), 5)
    let spread = Formatting.padded(Formatting.fixed(deviation / Double(divisor), 2), 5)
    line("\(indent)\(label) (\(name)): min=\(minimum), max=\(maximum), avg=\(mean), stdev=\(spread)")
  }

  private mutating func percentiles(_ label: String, _ histogram: LatencyHistogram, _ list: [Double]) {
    let values = histogram.percentiles(list)
    guard let first = values.first, let last = values.last else { return }
    let (name, divisor) = Self.unit(first.nanoseconds, last.nanoseconds, deviation: nil)
    // As many decimals as the list needs, up to four.
    var precision = 0
    for (percent, _) in values {
      var decimals = 0
      var scale = 1.0
      while decimals < 4, abs(percent * scale - (percent * scale).rounded()) > 1e-6 {
        decimals += 1
        scale *= 10
      }
      precision = max(precision, decimals)
    }
    let scaled = values.map { ($0.percent, ($0.nanoseconds + divisor - 1) / divisor) }
    let width = max(5, String(scaled.last?.1 ?? 0).utf8.count)
    let perLine = max(1, 73 / (precision + 15))
    line("    \(label) percentiles (\(name)):")
    var index = 0
    while index < scaled.count {
      let part = scaled[index..<min(scaled.count, index + perLine)]
      let cells = part.map { percent, value in
        " \(Formatting.padded(Formatting.fixed(percent, precision), precision + 3))th="
          + "[\(Formatting.padded(String(value), width))]"
      }
      index += perLine
      line("     |" + cells.joined(separator: ",") + (index < scaled.count ? "," : ""))
    }
  }

  private mutating func samples(_ statistics: DirectionStatistics, _ share: Double) {
    func number(_ value: Double) -> String { Formatting.padded(Formatting.fixed(value, 2), 5) }
    let bandwidth = statistics.bandwidth
    if bandwidth.count > 0 {
      let inMebibytes = bandwidth.mean > 1_048_576
      let divisor: UInt64 = inMebibytes ? 1024 : 1
      line(
        "   bw (  \(inMebibytes ? "MiB" : "KiB")/s): "
          + "min=\(Formatting.padded(String(bandwidth.minimum / divisor), 5)), "
          + "max=\(Formatting.padded(String(bandwidth.maximum / divisor), 5)), per=\(Formatting.fixed(share, 2))%, "
          + "avg=\(number(bandwidth.mean / Double(divisor))), "
          + "stdev=\(number(bandwidth.standardDeviation / Double(divisor))), samples=\(bandwidth.count)")
    }
    let iops = statistics.iops
    if iops.count > 0 {
      line(
        "   iops        : min=\(Formatting.padded(String(iops.minimum), 5)), "
          + "max=\(Formatting.padded(String(iops.maximum), 5)), avg=\(number(iops.mean)), "
          + "stdev=\(number(iops.standardDeviation)), samples=\(iops.count)")
    }
  }

  private mutating func latencyTable(_ statistics: JobStatistics) {
    let total = statistics.latencies.counts.reduce(0, +)
    guard total > 0 else { return }
    func rows(_ unit: String, _ counts: ArraySlice<UInt64>, _ names: [String]) {
      var cells: [String] = []
      for (count, name) in zip(counts, names) where count > 0 {
        cells.append("\(name)=\(Formatting.fixed(LatencyShare.percent(count, of: total), 2))%")
      }
      var index = 0
      while index < cells.count {
        line("  lat (\(unit))   : " + cells[index..<min(index + 5, cells.count)].joined(separator: ", "))
        index += 5
      }
    }
    let names = LatencyTable.steps.map(String.init)
    rows("nsec", statistics.latencies.nanosecondCounts, names)
    rows("usec", statistics.latencies.microsecondCounts, names)
    rows("msec", statistics.latencies.millisecondCounts, names + ["2000", ">=2000"])
  }

  private mutating func processor(_ statistics: JobStatistics) {
    let usage = statistics.usage
    func percent(_ time: UInt64) -> String {
      Formatting.fixed(
        statistics.totalRuntime == 0 ? 0 : Double(time) * 100 / Double(statistics.totalRuntime), 2)
    }
    line(
      "  cpu          : usr=\(percent(usage.user))%, sys=\(percent(usage.system))%, ctx=\(usage.contextSwitches), "
        + "majf=\(usage.majorFaults), minf=\(usage.minorFaults)")
    if statistics.operations > 0 {
      line(
        "  cpu per io   : avg=\(Formatting.fixed(statistics.processorMicrosecondsPerOperation, 2))usec, "
          + "usr=\(Formatting.fixed(statistics.userMicrosecondsPerOperation, 2))usec, "
          + "sys=\(Formatting.fixed(statistics.systemMicrosecondsPerOperation, 2))usec")
    }
  }

  private mutating func depths(_ entry: ReportEntry) {
    let statistics = entry.statistics
    func row(_ counters: DepthCounters, _ names: [String]) -> String {
      let total = counters.total
      return names.enumerated().map { index, name in
        "\(name)=\(Formatting.fixed(LatencyShare.depthPercent(counters.counts[index], of: total), 1))%"
      }.joined(separator: ", ")
    }
    let batches = ["0", "4", "8", "16", "32", "64", ">=64"]
    line("  IO depths    : " + row(statistics.depths, ["1", "2", "4", "8", "16", "32", ">=64"]))
    line("     submit    : " + row(statistics.submitBatches, batches))
    line("     complete  : " + row(statistics.completeBatches, batches))
    let counts = DataDirection.allCases.map { String(statistics.directions[$0].operations) }.joined(separator: ",")
    line("     issued rwts: total=\(counts),\(statistics.sync.count) short=0,0,0,0 dropped=0,0,0,0")
    let options = entry.options
    line(
      "     latency   : target=\(options.latencyTarget), window=\(options.latencyWindow / 1000), "
        + "percentile=\(Formatting.fixed(options.latencyPercentile, 2))%, depth=\(entry.depth)")
  }

  private mutating func paths(_ report: PathReport, _ statistics: JobStatistics) {
    func milliseconds(_ nanoseconds: UInt64) -> String { Formatting.fixed(Double(nanoseconds) / 1e6, 2) + "msec" }
    line(
      "  paths        : longest io=\(milliseconds(statistics.longestOperation)), "
        + "longest hold=\(milliseconds(report.longestHold)), held=\(report.holdCount), retries=\(report.retryCount), "
        + "failovers=\(report.failoverCount), fences=\(report.fenceCount), "
        + (report.unfencedResendCount > 0 ? "unfenced resends=\(report.unfencedResendCount), " : "")
        + "failed=\(report.failureCount)")
    for path in report.paths {
      line(
        "     \(path.address): \(path.obstacle.map { "down (\($0))" } ?? "up"), "
          + (path.isOnProbation ? "on probation, " : "") + "lost=\(path.lossCount), "
          + "reconnects=\(path.reconnectCount), attempts=\(path.attemptCount) (\(path.failedAttemptCount) failed), "
          + "longest outage=\(milliseconds(path.longestOutage))")
      if let trouble = path.lastTrouble { line("       last trouble: \(trouble)") }
    }
  }

  // MARK: - Groups

  private mutating func groups() {
    for group in report.groupIdentifiers {
      line("")
      line("Run status group \(group) (all jobs):")
      let unified = report.entries.first { $0.groupIdentifier == group }?.options.unifiedReporting ?? .separate
      if unified != .mixed {
        for direction in DataDirection.allCases {
          groupLine(direction.label.uppercased(), report.groupDirection(group, direction))
        }
      }
      if unified != .separate { groupLine("MIXED", report.groupMixed(group)) }
    }
  }

  private mutating func groupLine(_ label: String, _ values: RunReport.GroupDirection) {
    guard values.byteCount > 0 else { return }
    func both(_ value: Double) -> (String, String) {
      (Formatting.binaryBytes(Formatting.whole(value)) + "/s", Formatting.decimalBytes(Formatting.whole(value)) + "/s")
    }
    let all = both(values.bandwidth)
    let low = both(values.lowestBandwidth)
    let high = both(values.highestBandwidth)
    line(
      "\(Formatting.padded(label, 7)): bw=\(all.0) (\(all.1)), \(low.0)-\(high.0) (\(low.1)-\(high.1)), "
        + "io=\(Formatting.binaryBytes(values.byteCount)) (\(Formatting.decimalBytes(values.byteCount))), "
        + "run=\((values.shortestRuntime + 500_000) / 1_000_000)-\((values.longestRuntime + 500_000) / 1_000_000)msec")
  }
}
