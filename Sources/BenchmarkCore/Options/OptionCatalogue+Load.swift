// Depth, time, rates, verification, order.
extension OptionCatalogue {
  static var loadOptions: [OptionDefinition] {
    [
      value("iodepth", .load, "int", "I/Os kept in flight by each job, on each of its connections [1]") {
        options, text, context throws(OptionValueError) in
        options.depth = try ValueParser.size32(text, context, in: 1...65_535)
      },
      value(
        "connections", .load, "int",
        "associations (one queue pair each) of each job, all on its one thread and ring; slots of the depth belong\n"
          + "to connections in turn, so that connections x iodepth I/Os are in flight [1]"
      ) { options, text, context throws(OptionValueError) in
        options.connectionCount = try ValueParser.size32(text, context, in: 1...1024)
      },
      value("numjobs", .load, "int", "clones of the job, each with its own thread, ring and queue pair [1]") {
        options, text, context throws(OptionValueError) in
        options.jobCount = try ValueParser.size32(text, context, in: 1...1024)
      },
      time("runtime", .load, "end after this time (seconds without a unit)", unit: 1_000_000_000, \.optionalRuntime),
      flag("time_based", .load, "start over until runtime is over") { $0.isTimeBased = $1 },
      time("ramp_time", .load, "run so long before measuring", unit: 1_000_000_000, \.rampTime),
      time("startdelay", .load, "wait so long before starting", unit: 1_000_000_000, \.startDelay),
      value("cpus_allowed", .load, "list", "processors the job may run on, such as 0,2-3") {
        options, text, _ throws(OptionValueError) in
        options.allowedProcessors = try processors(text)
      },
    ]
  }

  /// "0,2-3" as numbers.
  private static func processors(_ text: Substring) throws(OptionValueError) -> [Int] {
    let wrong = OptionValueError("processor numbers below 1024, such as 0,2-3")
    var result: [Int] = []
    for part in text.split(separator: ",") {
      let ends = part.split(separator: "-").map { Int($0.trimmedSpaces) }
      guard let first = ends.first ?? nil, let last = ends.last ?? nil, ends.count <= 2, first >= 0, first <= last,
        last < 1024
      else { throw wrong }
      result += Array(first...last)
    }
    if result.isEmpty { throw wrong }
    return result
  }

  static var rateOptions: [OptionDefinition] {
    [
      value("rate", .rate, "size[,size][,size]", "bytes a second at most, for each job") {
        options, text, context throws(OptionValueError) in
        options.rateBytes = try optionalNumbers(text, context)
      },
      value("rate_iops", .rate, "int[,int][,int]", "I/Os a second at most; latency counts from the planned start") {
        options, text, context throws(OptionValueError) in
        options.rateIOPS = try optionalNumbers(text, context)
      },
      time(
        "latency_target", .rate,
        "look for the greatest depth up to iodepth at which no I/O takes longer (µs), and report what was\n"
          + "measured there; without such a depth the job fails",
        unit: 1000, \.latencyTarget),
      time("latency_window", .rate, "how long latency_target tries a depth (µs)", unit: 1000, \.latencyWindow),
      value("latency_percentile", .rate, "percent", "share of I/Os that latency_target is for [100]") {
        options, text, _ throws(OptionValueError) in
        guard let percent = Double(text.trimmedSpaces), percent > 0, percent <= 100 else {
          throw OptionValueError("a percentage above 0 up to 100, such as 99.9")
        }
        options.latencyPercentile = percent
      },
      flag("latency_run", .rate, "latency_target goes on adjusting the depth until the job's end") {
        $0.searchesOn = $1
      },
      choice("rate_process", .rate, "how planned starts are spread [linear]", \.rateProcess),
      flag("rate_ignore_thinktime", .rate, "do not catch up on the rate after a pause") {
        $0.rateIgnoresThinkTime = $1
      },
      time("thinktime", .rate, "pause after thinktime_blocks I/Os (µs without a unit)", unit: 1000, \.thinkTime),
      time("thinktime_spin", .rate, "part of the pause spent spinning (µs)", unit: 1000, \.thinkTimeSpin),
      number("thinktime_blocks", .rate, "int", "I/Os between pauses [1]", \.thinkTimeBlocks),
      choice(
        "thinktime_blocks_type", .rate, "which I/Os count: those that have ended, or those issued [complete]",
        \.thinkTimeTrigger),
      number("fsync fdatasync", .rate, "int", "a flush after so many writes", \.flushEvery),
      flag("end_fsync fsync_on_close", .rate, "a flush when the job has written everything") {
        $0.flushAtEnd = $1
      },
      value("sync", .rate, "none|sync|dsync", "sync and dsync: every write with force unit access") {
        options, text, _ throws(OptionValueError) in
        switch text.trimmedSpaces.lowercased() {
        case "none", "0": options.forceUnitAccess = false
        case "sync", "dsync", "1": options.forceUnitAccess = true
        default: throw OptionValueError("none, sync or dsync")
        }
      },
      flag("writefua", .rate, "every write with force unit access") { $0.forceUnitAccess = $1 },
    ]
  }

  private static func optionalNumbers(
    _ text: Substring, _ context: ValueContext
  ) throws(OptionValueError) -> PerDirection<UInt64?> {
    try ValueParser.perDirection(text, default: PerDirection(all: nil)) { part throws(OptionValueError) in
      let value = try ValueParser.size(part, context)
      return value == 0 ? nil : value
    }
  }

  static var verifyOptions: [OptionDefinition] {
    [
      value(
        "verify", .verify, VerifyMethod.allCases.map(\.rawValue).joined(separator: "|"),
        "write blocks that can be checked, and check them (also crc32c-intel, which is crc32c)"
      ) { options, text, _ throws(OptionValueError) in
        options.verify = try VerifyMethod.parse(text)
      },
      flag("do_verify", .verify, "read back and check after writing [1]") { $0.doVerify = $1 },
      flag("verify_only", .verify, "do not write, check what an earlier run with the same options wrote") {
        $0.verifyOnly = $1
      },
      flag("verify_fatal", .verify, "end the job at the first block that differs") { $0.verifyIsFatal = $1 },
      value("verify_interval", .verify, "size", "one header each so many bytes [the smallest block]") {
        options, text, context throws(OptionValueError) in
        options.verifyInterval = try ValueParser.size32(text, context, in: BlockSizeMix.allowedBytes)
      },
      value("verify_pattern", .verify, "bytes", "content: 0x… or a \"string\", repeated; with verify=pattern checked") {
        options, text, _ throws(OptionValueError) in
        options.verifyPattern = try PatternParser.parse(text)
      },
      number("verify_backlog", .verify, "int", "check after so many writes instead of at the end", \.verifyBacklog),
      number(
        "verify_backlog_batch", .verify, "int", "how many blocks to check then [all]", \.verifyBacklogBatch),
      flag("zero_buffers", .verify, "write zeroes instead of random bytes") { $0.zeroBuffers = $1 },
      flag("refill_buffers", .verify, "fill the buffer anew for every write") { $0.refillBuffers = $1 },
      value("buffer_pattern", .verify, "bytes", "content of writes: 0x… or a \"string\", repeated") {
        options, text, _ throws(OptionValueError) in
        options.bufferPattern = try PatternParser.parse(text)
      },
    ]
  }

  static var orderOptions: [OptionDefinition] {
    [
      flag("stonewall wait_for_previous", .order, "start when all earlier jobs have ended; a new report group") {
        $0.stonewall = $1
      },
      value("wait_for", .order, "name", "start when the job of that name has ended") {
        options, text, _ throws(OptionValueError) in
        options.waitFor = String(text.trimmedSpaces)
      },
      flag("new_group", .order, "a new report group") { $0.newGroup = $1 },
      flag("exitall", .order, "when the job has ended, end the others that exit_what names") { $0.endsOthers = $1 },
      choice(
        "exit_what", .order, "what exitall ends: the job's group, all since the last stonewall, or all [group]",
        \.endedWithIt),
    ]
  }
}
