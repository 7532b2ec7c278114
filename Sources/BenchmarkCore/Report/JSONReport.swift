internal import Glibc
internal import JSON

/// fio's JSON (3.33) and json+, with members of our own beside fio's: `cpu_us_per_io` (with its `usr_` and `sys_`
/// shares), `measured_from_ns` and `measured_until_ns` (CLOCK_MONOTONIC), `verify`,
/// `multipath` and `error_message` in a job, `nvmeof_bench` at the top.
struct JSONReport {
  private let report: RunReport
  private let hasBins: Bool

  static func render(_ report: RunReport, bins: Bool) -> String {
    JSONWriter.text(of: JSONReport(report: report, hasBins: bins).document(), style: .fio) + "\n"
  }

  private init(report: RunReport, hasBins: Bool) {
    self.report = report
    self.hasBins = hasBins
  }

  private func document() -> JSONValue {
    var members: [(String, JSONValue)] = [
      // Readers look for fio's version to know the schema.
      ("fio version", .string("fio-3.33 (nvmeof-bench \(RunReport.version))")),
      ("timestamp", .integer(report.timestampMilliseconds / 1000)),
      ("timestamp_ms", .integer(report.timestampMilliseconds)),
      ("time", .string(Formatting.date(report.timestampMilliseconds / 1000))),
    ]
    let global = report.globalOptions.filter { $0.value != nil }
    if !report.globalOptions.isEmpty {
      members.append(("global options", .object(global.map { ($0.name, .string($0.value ?? "")) })))
    }
    members.append(("jobs", .array(report.entries.map(job))))
    members.append(("disk_util", .array([])))
    members.append(("nvmeof_bench", environment()))
    return .object(members)
  }

  /// What a reader needs to judge or repeat the figures.
  private func environment() -> JSONValue {
    var names = utsname()
    uname(&names)
    let release = withUnsafeBytes(of: &names.release) { String(decoding: $0.prefix { $0 != 0 }, as: UTF8.self) }
    return .object([
      ("version", .string(RunReport.version)),
      ("kernel", .string(release)),
      ("processors", .integer(max(0, sysconf(Int32(_SC_NPROCESSORS_ONLN))))),
      ("targets", .array(report.targets.map { .string($0) })),
      ("notes", .array(report.notes.map { .string($0) })),
    ])
  }

  private func job(_ entry: ReportEntry) -> JSONValue {
    let statistics = entry.statistics
    var members: [(String, JSONValue)] = [
      ("jobname", .string(entry.name)),
      ("groupid", .integer(entry.groupIdentifier)),
      ("error", .integer(entry.failure?.code ?? 0)),
      ("eta", .integer(0)),
      ("elapsed", .integer(entry.elapsedSeconds)),
      ("job options", options(entry)),
    ]
    let unified = entry.options.unifiedReporting
    if unified != .mixed {
      for direction in DataDirection.allCases {
        members.append(
          (
            direction.label,
            self.direction(
              statistics.directions[direction], entry, report.groupDirection(entry.groupIdentifier, direction))
          ))
      }
      members.append(
        (
          "sync",
          .object([
            ("total_ios", .integer(statistics.sync.count)),
            (
              "lat_ns",
              latency(
                statistics.sync, statistics.sync.count > 0 ? statistics.syncHistogram : nil, entry.options.percentiles)
            ),
          ])
        ))
    }
    if unified != .separate {
      members.append(("mixed", direction(statistics.mixed, entry, report.groupMixed(entry.groupIdentifier))))
    }
    let runtime = Double(statistics.totalRuntime)
    func share(_ time: UInt64) -> JSONValue { .fixed(runtime == 0 ? 0 : Double(time) * 100 / runtime) }
    members += [
      ("job_runtime", .integer(statistics.totalRuntime / 1_000_000)),
      ("usr_cpu", share(statistics.usage.user)),
      ("sys_cpu", share(statistics.usage.system)),
      ("ctx", .integer(statistics.usage.contextSwitches)),
      ("majf", .integer(statistics.usage.majorFaults)),
      ("minf", .integer(statistics.usage.minorFaults)),
      ("cpu_us_per_io", .fixed(statistics.processorMicrosecondsPerOperation)),
      ("usr_cpu_us_per_io", .fixed(statistics.userMicrosecondsPerOperation)),
      ("sys_cpu_us_per_io", .fixed(statistics.systemMicrosecondsPerOperation)),
    ]
    let batches = ["0", "4", "8", "16", "32", "64", ">=64"]
    members.append(("iodepth_level", depths(statistics.depths, ["1", "2", "4", "8", "16", "32", ">=64"])))
    members.append(("iodepth_submit", depths(statistics.submitBatches, batches)))
    members.append(("iodepth_complete", depths(statistics.completeBatches, batches)))
    let names = LatencyTable.steps.map(String.init)
    let total = statistics.latencies.counts.reduce(0, +)
    func table(_ counts: ArraySlice<UInt64>, _ names: [String]) -> JSONValue {
      .object(zip(names, counts).map { ($0, .fixed(LatencyShare.percent($1, of: total))) })
    }
    members += [
      ("latency_ns", table(statistics.latencies.nanosecondCounts, names)),
      ("latency_us", table(statistics.latencies.microsecondCounts, names)),
      ("latency_ms", table(statistics.latencies.millisecondCounts, names + ["2000", ">=2000"])),
      ("latency_depth", .integer(entry.depth)),
      ("latency_target", .integer(entry.options.latencyTarget)),
      ("latency_percentile", .fixed(entry.options.latencyPercentile)),
      // Microseconds beside nanoseconds, as with fio.
      ("latency_window", .integer(entry.options.latencyWindow / 1000)),
    ]
    if let time = statistics.measuredTime {
      // So that whoever watches this process from outside knows which part of what it saw was measured.
      members.append(("measured_from_ns", .integer(time.lowerBound)))
      members.append(("measured_until_ns", .integer(time.upperBound)))
    }
    if !entry.options.continueOnError.isEmpty {
      members.append(("total_err", .integer(entry.failureCount)))
      members.append(("first_error", .integer(entry.failure?.code ?? 0)))
    }
    if let failure = entry.failure { members.append(("error_message", .string(failure.message))) }
    if statistics.verifiedBlocks > 0 {
      members.append(
        (
          "verify",
          .object([
            ("blocks", .integer(statistics.verifiedBlocks)), ("failures", .integer(statistics.verifyFailures)),
          ])
        ))
    }
    if let paths = statistics.paths { members.append(("multipath", multipath(paths, statistics))) }
    if let description = entry.options.description { members.append(("desc", .string(description))) }
    return .object(members)
  }

  /// What the loss of paths cost.
  private func multipath(_ report: PathReport, _ statistics: JobStatistics) -> JSONValue {
    .object([
      ("longest_io_ns", .integer(statistics.longestOperation)),
      ("longest_hold_ns", .integer(report.longestHold)),
      ("held_ios", .integer(report.holdCount)),
      ("retries", .integer(report.retryCount)),
      ("failovers", .integer(report.failoverCount)),
      ("fences", .integer(report.fenceCount)),
      ("unfenced_resends", .integer(report.unfencedResendCount)),
      ("failed_ios", .integer(report.failureCount)),
      (
        "paths",
        .array(
          report.paths.map { path in
            .object(
              [
                ("address", .string(path.address)),
                ("usable", .integer(path.obstacle == nil ? 1 : 0)),
                ("on_probation", .integer(path.isOnProbation ? 1 : 0)),
                ("losses", .integer(path.lossCount)),
                ("reconnects", .integer(path.reconnectCount)),
                ("attempts", .integer(path.attemptCount)),
                ("failed_attempts", .integer(path.failedAttemptCount)),
                ("longest_outage_ns", .integer(path.longestOutage)),
              ] + (path.obstacle.map { [("obstacle", .string($0))] } ?? [])
                + (path.lastTrouble.map { [("last_trouble", .string($0))] } ?? []))
          })
      ),
    ])
  }

  /// The options as given. rw, bs, iodepth and numjobs are always there: tools that plot results sort by them.
  private func options(_ entry: ReportEntry) -> JSONValue {
    var members: [(String, JSONValue)] = entry.options.given.filter { $0.value != nil }
      .map { ($0.name, .string($0.value ?? "")) }
    let sizes = entry.options.blockSizes
    let given = Set(entry.options.given.map(\.name) + report.globalOptions.map(\.name))
    let always = [
      ("rw", entry.options.pattern.rawValue),
      ("bs", String(sizes[entry.options.pattern.directions[0]].smallest)),
      ("iodepth", String(entry.options.depth)),
      ("numjobs", String(entry.options.jobCount)),
    ]
    for (name, value) in always where !given.contains(name) { members.append((name, .string(value))) }
    return .object(members)
  }

  private func depths(_ counters: DepthCounters, _ names: [String]) -> JSONValue {
    let total = counters.total
    return .object(
      names.enumerated().map { ($1, .fixed(LatencyShare.depthPercent(counters.counts[$0], of: total))) })
  }

  private func direction(
    _ statistics: DirectionStatistics, _ entry: ReportEntry, _ group: RunReport.GroupDirection
  ) -> JSONValue {
    let options = entry.options
    let list = options.percentiles
    let bytesPerSecond = Formatting.whole(statistics.bytesPerSecond)
    return .object([
      ("io_bytes", .integer(statistics.byteCount)),
      ("io_kbytes", .integer(statistics.byteCount / 1024)),
      ("bw_bytes", .integer(bytesPerSecond)),
      ("bw", .integer(bytesPerSecond / 1024)),
      ("iops", .fixed(statistics.operationsPerSecond)),
      ("runtime", .integer((statistics.runtime + 500_000) / 1_000_000)),
      ("total_ios", .integer(statistics.operations)),
      ("short_ios", .integer(0)),
      ("drop_ios", .integer(0)),
      (
        "slat_ns",
        latency(statistics.submission, options.submissionPercentiles ? statistics.submissionHistogram : nil, list)
      ),
      (
        "clat_ns",
        latency(
          statistics.completion, options.reportsCompletionPercentiles ? statistics.completionHistogram : nil, list)
      ),
      ("lat_ns", latency(statistics.total, options.reportsTotalPercentiles ? statistics.totalHistogram : nil, list)),
      ("bw_min", .integer(statistics.bandwidth.reportedMinimum)),
      ("bw_max", .integer(statistics.bandwidth.maximum)),
      ("bw_agg", .fixed(report.sharePercent(statistics, of: group))),
      ("bw_mean", .fixed(statistics.bandwidth.mean)),
      ("bw_dev", .fixed(statistics.bandwidth.standardDeviation)),
      ("bw_samples", .integer(statistics.bandwidth.count)),
      ("iops_min", .integer(statistics.iops.reportedMinimum)),
      ("iops_max", .integer(statistics.iops.maximum)),
      ("iops_mean", .fixed(statistics.iops.mean)),
      ("iops_stddev", .fixed(statistics.iops.standardDeviation)),
      ("iops_samples", .integer(statistics.iops.count)),
    ])
  }

  private func latency(_ values: RunningStatistics, _ histogram: LatencyHistogram?, _ list: [Double]) -> JSONValue {
    var members: [(String, JSONValue)] = [
      ("min", .integer(values.reportedMinimum)),
      ("max", .integer(values.maximum)),
      ("mean", .fixed(values.mean)),
      ("stddev", .fixed(values.standardDeviation)),
      ("N", .integer(values.count)),
    ]
    if let histogram, histogram.total > 0 {
      members.append(
        (
          "percentile",
          .object(histogram.percentiles(list).map { (Formatting.fixed($0.percent, 6), .integer($0.nanoseconds)) })
        ))
      if hasBins {
        members.append(("bins", .object(histogram.bins.map { (String($0.nanoseconds), .integer($0.count)) })))
      }
    }
    return .object(members)
  }
}

extension JSONValue {
  fileprivate static func object(_ members: [(String, JSONValue)]) -> JSONValue { .object(JSONObject(members)) }

  /// Six decimals, as fio writes what may have a fraction.
  fileprivate static func fixed(_ value: Double) -> JSONValue {
    JSONNumber(text: Formatting.fixed(value, 6)).map { .number($0) } ?? .null
  }
}
