// Statistics, errors, and what is accepted or refused for fio's sake.
extension OptionCatalogue {
  static var reportOptions: [OptionDefinition] {
    let options = [
      flag("group_reporting", .report, "one result for all jobs of a group") { $0.groupReporting = $1 },
      flag("stats", .report, "report this job [1]") { $0.reportsStatistics = $1 },
      value("unified_rw_reporting", .report, "none|mixed|both", "sum the directions") {
        options, text, _ throws(OptionValueError) in
        options.unifiedReporting = try UnifiedReporting.parse(text)
      },
      value("percentile_list", .report, "p:p:…", "percentiles to report, up to 20") {
        options, text, _ throws(OptionValueError) in
        var list: [Double] = []
        for part in text.split(whereSeparator: { $0 == ":" || $0 == "," }) {
          guard let value = Double(part.trimmedSpaces), value > 0, value <= 100 else {
            throw OptionValueError("percentages above 0 up to 100, such as 50:99:99.9")
          }
          list.append(value)
        }
        guard !list.isEmpty, list.count <= 20 else { throw OptionValueError("1 to 20 percentages") }
        options.percentiles = list.sorted()
      },
      flag("slat_percentiles", .report, "percentiles of the submission latency") { $0.submissionPercentiles = $1 },
      flag("clat_percentiles", .report, "percentiles of the completion latency [1]") { $0.completionPercentiles = $1 },
      flag("lat_percentiles", .report, "percentiles of the total latency") { $0.totalPercentiles = $1 },
      flag("disable_lat", .report, "do not measure total latency") { $0.measuresTotal = !$1 },
      flag("disable_clat", .report, "do not measure completion latency") { $0.measuresCompletion = !$1 },
      flag("disable_slat", .report, "do not measure submission latency") { $0.measuresSubmission = !$1 },
      flag("disable_bw_measurement disable_bw", .report, "no samples of bandwidth and IOPS") {
        $0.measuresBandwidth = !$1
      },
      flag("gtod_reduce", .report, "disable_lat, disable_slat, disable_clat and disable_bw in one") {
        // 0 leaves alone what they say.
        guard $1 else { return }
        $0.measuresTotal = false
        $0.measuresSubmission = false
        $0.measuresCompletion = false
        $0.measuresBandwidth = false
      },
      time("bwavgtime", .report, "length of a bandwidth sample (ms) [500]", unit: 1_000_000, \.bandwidthWindow),
      time("iopsavgtime", .report, "length of an IOPS sample (ms) [500]", unit: 1_000_000, \.iopsWindow),
      value("significant_figures", .report, "int", "figures of bandwidth and IOPS in the normal output [4]") {
        options, text, context throws(OptionValueError) in
        options.significantFigures = Int(try ValueParser.size32(text, context, in: 1...10))
      },
    ]
    return options + logOptions
  }

  private static var logOptions: [OptionDefinition] {
    func log(
      _ name: String, _ help: String, _ path: any WritableKeyPath<LogOptions, String?> & Sendable
    ) -> OptionDefinition {
      OptionDefinition(
        name: name, aliases: [], group: .report, syntax: "prefix", help: help,
        effect: .optionalValue { options, text in
          options.log[keyPath: path] = text.map { String($0) } ?? options.name
        })
    }
    return [
      log("write_lat_log", "latencies to files PREFIX_slat, _clat and _lat.N.log, N the job's number", \.latencyPrefix),
      log("write_bw_log", "bandwidths to PREFIX_bw.N.log", \.bandwidthPrefix),
      log("write_iops_log", "I/Os to PREFIX_iops.N.log", \.iopsPrefix),
      time(
        "log_avg_msec", .report, "logs have an entry for so long (ms), in steps of 10 ms, instead of one an I/O",
        unit: 1_000_000, \.log.window),
      flag("log_max_value", .report, "with log_avg_msec the longest latency instead of the mean") {
        $0.log.showsLongest = $1
      },
      flag("log_offset", .report, "logs have each I/O's offset") { $0.log.showsOffsets = $1 },
      log("write_hist_log", "histograms of completion latencies to PREFIX_clat_hist.N.log", \.histogramPrefix),
      time(
        "log_hist_msec", .report, "write_hist_log has a histogram for so long (ms), in steps of 10 ms; else none",
        unit: 1_000_000, \.log.histogramWindow),
      value("log_hist_coarseness", .report, "0-6", "each step halves the number of a histogram's bins, 1856 [0]") {
        options, text, _ throws(OptionValueError) in
        guard let coarseness = Int(text.trimmedSpaces), (0...6).contains(coarseness) else {
          throw OptionValueError("a number from 0 to 6")
        }
        options.log.histogramCoarseness = coarseness
      },
    ]
  }

  static var errorOptions: [OptionDefinition] {
    [
      value("continue_on_error", .errors, "none|read|write|io|verify|all", "which failures do not end the job") {
        options, text, _ throws(OptionValueError) in
        options.continueOnError = try ContinueOnError.parse(text)
      },
      flag("exitall_on_error", .errors, "end all jobs when one fails") { $0.endsAllOnError = $1 },
      time("max_latency", .errors, "fail the job when an I/O takes longer (µs)", unit: 1000, \.optionalMaximumLatency),
    ]
  }

  static var acceptedOptions: [OptionDefinition] {
    ignored(
      ["direct", "buffered", "invalidate", "pre_read", "fadvise_hint", "atomic"], takesValue: false,
      "a target has no page cache on this side; files and devices of this system are used through the system's")
      + ignored(
        ["thread", "create_serialize", "create_fsync", "overwrite", "allow_file_create", "unlink", "file_append"],
        takesValue: false, "jobs are threads and the device exists already")
      + ignored(
        ["fallocate", "filename_format", "directory", "nrfiles", "openfiles", "lockfile", "file_service_type"],
        "there is one device and no file system")
      + ignored(
        [
          "iodepth_batch", "iodepth_batch_submit", "iodepth_batch_complete", "iodepth_batch_complete_min",
          "iodepth_batch_complete_max", "iodepth_low", "io_submit_mode",
        ],
        "every turn of the ring submits what is ready and collects what is done")
      + ignored(
        [
          "fixedbufs", "registerfiles", "sqthread_poll", "force_async", "nonvectored", "userspace_reap", "nowait",
          "serialize_overlap", "scramble_buffers", "softrandommap", "verify_dump", "experimental_verify",
          "verify_state_save", "disk_util", "per_job_logs", "allow_mounted_write",
        ],
        takesValue: false, "it has no counterpart here")
      + ignored(
        [
          "random_generator", "verify_async", "verify_async_cpus", "clocksource", "gtod_cpu", "mem", "iomem",
          "mem_align", "iomem_align", "hugepage-size", "ioscheduler", "cpus_allowed_policy", "nice", "prio",
          "prioclass", "write_hint", "unit_base", "rate_cycle", "log_entries", "dedupe_percentage",
          "buffer_compress_percentage", "buffer_compress_chunk",
        ],
        "it has no counterpart here")
      + [
        value("kb_base", .size, "1024|1000", "whether k is 1024 (fio's default) or 1000") {
          _, text, _ throws(OptionValueError) in
          // The planner acts on it: it changes how the section's other values are read.
          guard text.trimmedSpaces == "1024" || text.trimmedSpaces == "1000" else {
            throw OptionValueError("1024 or 1000")
          }
        }
      ]
  }

  static var unsupportedOptions: [OptionDefinition] {
    unsupported(
      ["read_iolog", "write_iolog", "replay_redirect", "replay_no_stall", "read_iolog_chunked"],
      "there is no replay of recorded I/O")
      + unsupported(["steadystate", "ss"], "there is no search for a steady state; give runtime and ramp_time")
      + unsupported(["zonemode", "zonesize", "zonerange", "zoneskip"], "zoned access is not offered")
      + unsupported(["rate_min", "rate_iops_min"], "compare the reported rate instead")
      + unsupported(
        ["verify_offset", "verify_state_load", "trim_percentage", "trim_verify_zero", "trim_backlog"],
        "this form of verification is not offered")
      + unsupported(["bs_unaligned", "blocksize_unaligned", "bs_is_seq_rand"], "block sizes are whole device blocks")
      + unsupported(["exec_prerun", "exec_postrun"], "this tool starts no commands")
      + unsupported(["fill_device", "fill_fs"], "give size=100%")
      + unsupported(["ignore_error"], "give continue_on_error")
      + unsupported(
        [
          "flow", "flow_id", "flow_sleep", "thinktime_iotime", "cpumask", "numa_cpu_nodes",
          "numa_mem_policy", "startdelay_range", "opendir",
        ], "it is not offered")
  }
}
