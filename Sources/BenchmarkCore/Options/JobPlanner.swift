/// Turns sections into jobs: defaults from [global], variables, checks that concern several options.
public struct JobPlanner {
  private let reader: JobFileReader
  private var plan = JobPlan(jobs: [], globalOptions: [], notes: [])
  /// What each job has of [global] sections and of the command line for files.
  private var inherited: [[GivenOption]] = []

  public static func plan(
    _ invocation: BenchmarkInvocation, reader: JobFileReader
  ) throws(OptionError) -> JobPlan {
    var planner = JobPlanner(reader: reader)
    try planner.run(invocation)
    return planner.plan
  }

  private init(reader: JobFileReader) {
    self.reader = reader
  }

  private mutating func run(_ invocation: BenchmarkInvocation) throws(OptionError) {
    var commandLineGlobals: [GivenOption] = invocation.common
    for source in invocation.sources {
      switch source {
      case .section(let section) where section.isGlobal:
        commandLineGlobals += section.entries
      case .section(let section):
        try addJob(section, defaults: commandLineGlobals, overrides: [], invocation)
      case .file(let path):
        var fileGlobals: [GivenOption] = []
        for section in try reader.read(path: path) {
          if section.isGlobal {
            fileGlobals += section.entries
          } else if invocation.onlySections.isEmpty || invocation.onlySections.contains(section.name) {
            try addJob(section, defaults: fileGlobals, overrides: invocation.common, invocation)
          }
        }
      }
    }
    if plan.jobs.isEmpty, invocation.sources.isEmpty, !invocation.common.isEmpty {
      // Options without --name: one job, named for what it does.
      try addJob(JobSection(name: "", location: .commandLine), defaults: commandLineGlobals, overrides: [], invocation)
    }
    guard !plan.jobs.isEmpty else { throw OptionError(.noJobs, at: .commandLine) }
    guard plan.jobs.reduce(0, { $0 + Int($1.jobCount) }) <= 4096 else {
      throw OptionError(.conflict("more than 4096 jobs in all"), at: .commandLine)
    }
    divideInherited()
  }

  /// What all jobs have inherited is told once; the rest, of other files or of a later section, with the jobs that it
  /// holds for.
  private mutating func divideInherited() {
    plan.globalOptions = inherited[0].filter { option in
      inherited.allSatisfy { $0.contains { $0.name == option.name && $0.value == option.value } }
    }
    let global = Set(plan.globalOptions.map(\.name))
    for (index, options) in inherited.enumerated() {
      let own = plan.jobs[index].given
      plan.jobs[index].given =
        options.filter { option in !global.contains(option.name) && !own.contains { $0.name == option.name } } + own
    }
  }

  private mutating func addJob(
    _ section: JobSection, defaults: [GivenOption], overrides: [GivenOption],
    _ invocation: BenchmarkInvocation
  ) throws(OptionError) {
    let all = defaults + section.entries + overrides
    var context = ValueContext()
    if let base = all.last(where: { $0.name == "kb_base" })?.value {
      context.kilobyteBase = base == "1000" ? 1000 : 1024
    }
    var job = JobOptions()
    job.name = section.name
    // `apply` notes in `given` what it has applied.
    for entry in defaults { try apply(entry, section, &job, context) }
    let byDefault = job.given
    job.given = []
    for entry in section.entries { try apply(entry, section, &job, context) }
    let own = job.given
    job.given = []
    for entry in overrides { try apply(entry, section, &job, context) }
    let overriding = job.given
    func isOverridden(_ option: GivenOption) -> Bool { overriding.contains { $0.name == option.name } }
    job.given = own.filter { !isOverridden($0) }
    inherited.append(byDefault.filter { !isOverridden($0) } + overriding)
    if job.name.isEmpty { job.name = job.pattern.rawValue }
    try check(job, at: section.location, invocation)
    if job.verify != nil, job.jobCount > 1, job.pattern.includes(.write), job.offsetIncrement == .bytes(0) {
      plan.notes.append(
        "\(section.location): the \(job.jobCount) clones of '\(job.name)' write the same region, so each will find the "
          + "others' blocks when it verifies; give offset_increment and size")
    }
    if OffsetGenerator.shortensBlocks(job) {
      plan.notes.append(
        "\(section.location): '\(job.name)' visits every block once, so blocks of several sizes are cut to what is free "
          + "where they go, and are smaller in the mean than asked for; norandommap keeps the sizes")
    }
    plan.jobs.append(job)
  }

  private mutating func apply(
    _ entry: GivenOption, _ section: JobSection, _ job: inout JobOptions, _ context: ValueContext
  ) throws(OptionError) {
    var value = entry.value
    if let text = value, text.contains("$") { value = Keywords.replace(in: text, jobName: section.name) }
    let note = try OptionCatalogue.apply(entry.name, value, to: &job, context, at: entry.location)
    if let note, !plan.notes.contains(note) { plan.notes.append(note) }
  }

  private func check(
    _ job: JobOptions, at location: OptionLocation, _ invocation: BenchmarkInvocation
  ) throws(OptionError) {
    func conflict(_ text: String) -> OptionError { OptionError(.conflict("job '\(job.name)': \(text)"), at: location) }
    if job.isTimeBased, job.runtime == nil { throw conflict("time_based needs runtime") }
    if job.numberOfIOs == 0, job.loops == 0 { throw conflict("loops=0 does nothing") }
    let writes = job.pattern.includes(.write) || job.pattern.includes(.trim)
    if invocation.isReadOnly, writes { throw conflict("--readonly was given and rw=\(job.pattern.rawValue) writes") }
    for direction in DataDirection.allCases where job.rateBytes[direction] != nil && job.rateIOPS[direction] != nil {
      throw conflict("rate and rate_iops exclude each other")
    }
    if UInt64(job.depth) * UInt64(job.connectionCount) > 65_535 {
      throw conflict("connections=\(job.connectionCount) with iodepth=\(job.depth): more than 65535 I/Os in flight")
    }
    if job.pattern.writesWhatItTrims, job.blockSizes.trim != job.blockSizes.write {
      throw conflict("rw=\(job.pattern.rawValue) writes the blocks that it has trimmed: give both the same block sizes")
    }
    if job.latencyTarget > 0, job.latencyWindow == 0 {
      throw conflict("latency_target needs latency_window, the time for which each depth is tried")
    }
    if let problem = job.paths.problem { throw conflict(problem) }
    if job.thinkTimeSpin > job.thinkTime { throw conflict("thinktime_spin is longer than thinktime") }
    if let name = job.waitFor {
      let matches = plan.jobs.count { $0.name == name }
      if matches != 1 {
        throw conflict(
          matches == 0 ? "wait_for=\(name): no earlier job of that name" : "wait_for=\(name): the name is not unique")
      }
    }
    guard let verify = job.verify else {
      if job.verifyOnly { throw conflict("verify_only needs verify") }
      return
    }
    if job.pattern.includes(.trim) { throw conflict("verify makes no sense with rw=\(job.pattern.rawValue)") }
    if verify == .pattern, job.verifyPattern.isEmpty { throw conflict("verify=pattern needs verify_pattern") }
    let unit = UInt32(VerifyLayout.unit(of: job))
    if verify.hasHeader, unit < UInt32(VerifyHeader.byteCount) {
      throw conflict("verify needs blocks (or verify_interval) of at least \(VerifyHeader.byteCount) bytes")
    }
    for direction in [DataDirection.read, .write] {
      let mix = job.blockSizes[direction]
      let sizes: [UInt32]
      switch mix {
      case .fixed(let bytes): sizes = [bytes]
      case .range(let range): sizes = [range.lowerBound, range.upperBound]
      case .split(let shares): sizes = shares.map(\.bytes)
      }
      if job.pattern.includes(direction), sizes.contains(where: { $0 % unit != 0 }) {
        throw conflict("with verify, every block size must be a multiple of verify_interval (\(unit) bytes)")
      }
      // Blocks that do not begin with a unit would overwrite parts of units, which then cannot be checked.
      if job.pattern.includes(direction), let alignment = job.blockAlignment[direction], alignment % unit != 0 {
        throw conflict("with verify, blockalign (\(alignment)) must be a multiple of verify_interval (\(unit) bytes)")
      }
    }
    if job.sequentialGap % UInt64(unit) != 0 {
      throw conflict(
        "with verify, the gap of rw=…:\(job.sequentialGap) must be a multiple of verify_interval (\(unit) bytes)")
    }
  }
}
