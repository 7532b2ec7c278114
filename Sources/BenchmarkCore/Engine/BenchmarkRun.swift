internal import Glibc
internal import RingReactor

/// Runs a plan: opens devices, starts jobs in their order, shows progress, collects results.
public final class BenchmarkRun {
  /// Opens the device that a job names, nil being the embedded target, by its paths.
  public typealias Opener = (_ target: String?, _ paths: PathOptions) throws -> any BenchmarkDevice

  /// Jobs that say the same of a device share it.
  private struct DeviceKey: Hashable {
    var target: String
    var paths: PathOptions
  }

  private let plan: JobPlan
  private let invocation: BenchmarkInvocation
  private let stop: StopSignal
  private let output: ReportOutput
  private let monitor = RunMonitor()
  private let clock = SystemClock()
  private var threads: [JobThread] = []
  private var devices: [DeviceKey: any BenchmarkDevice] = [:]
  private var deviceOrder: [any BenchmarkDevice] = []
  private var statusLine: StatusLine
  private var startNanoseconds: UInt64 = 0

  public init(plan: JobPlan, invocation: BenchmarkInvocation, stop: StopSignal, output: ReportOutput) {
    self.plan = plan
    self.invocation = invocation
    self.stop = stop
    self.output = output
    statusLine = StatusLine(now: clock.now())
  }

  /// - Returns: the results, and the jobs' failures.
  /// - Throws: ``JobFailure`` when a job does not fit its device, or what `open` throws, or ``OutputError``.
  public func run(open: Opener) throws -> RunReport {
    defer { for device in deviceOrder { device.close() } }
    try place(open)
    for thread in threads where thread.setup.options.log.isWanted { try logWriter(thread).prepare() }
    try output.begin(plan, threads: threads.count, notes: notes)
    startNanoseconds = clock.now()
    statusLine = StatusLine(now: startNanoseconds)
    schedule()
    output.clearStatus()
    return report()
  }

  /// Writes the jobs' logs, once `run` has returned.
  ///
  /// - Returns: what is not in them.
  /// - Throws: ``OutputError``.
  public func writeLogs() throws -> [String] {
    var remarks: [String] = []
    for thread in threads {
      guard let outcome = monitor.read({ thread.outcome }) else { continue }
      try logWriter(thread).write(outcome)
      guard let log = outcome.log, log.droppedCount > 0 else { continue }
      remarks.append(
        "\(thread.setup.options.name): \(log.droppedCount) I/Os are missing at the end of its logs, which may take an "
          + "eighth of the memory; give log_avg_msec")
    }
    return remarks
  }

  private func logWriter(_ thread: JobThread) -> LogWriter {
    LogWriter(thread.setup.options, number: thread.setup.threadNumber)
  }

  private var notes: [String] {
    let ended = monitor.read {
      threads.compactMap { thread in thread.outcome.map { (thread.setup.options.name, $0) } }
    }
    var notes = plan.notes + deviceOrder.flatMap(\.notes)
    for (name, outcome) in ended where outcome.endedInRamp {
      let note = "\(name): ended before its ramp_time was over; what is reported of it is the ramp"
      if !notes.contains(note) { notes.append(note) }
    }
    for (name, outcome) in ended where outcome.searchIsUnfinished {
      let note =
        "\(name): ended before its depth for latency_target was found; its figures are of all depths tried, and the "
        + "depth is the latest that did (1 if none was tried for a whole latency_window)"
      if !notes.contains(note) { notes.append(note) }
    }
    for (index, (name, _)) in ended.enumerated() where ended[..<index].allSatisfy({ $0.0 != name }) {
      let count = ended.reduce(UInt64(0)) { $1.0 == name ? $0.addingSaturating($1.1.overdueCount) : $0 }
      guard count > 0 else { continue }
      notes.append(
        "\(name): of the I/Os that were due by its rate, \(count) had not started when it ended; "
          + "no latency tells of their waiting")
    }
    return notes
  }

  private func place(_ open: Opener) throws {
    var number = 0
    for (jobIndex, job) in plan.jobs.enumerated() {
      let key = DeviceKey(target: job.target ?? "", paths: job.paths)
      let device: any BenchmarkDevice
      if let known = devices[key] {
        device = known
      } else {
        device = try open(job.target, job.paths)
        devices[key] = device
        deviceOrder.append(device)
      }
      for clone in 0..<Int(job.jobCount) {
        let setup = try JobSetup(
          options: job, clone: clone, threadNumber: number, capacityBytes: device.capacityBytes,
          blockByteCount: device.blockByteCount, stop: StopSignal(within: stop))
        number += 1
        threads.append(
          JobThread(
            setup: setup, device: device, groupIdentifier: plan.groupIdentifiers[jobIndex], jobIndex: jobIndex,
            monitor: monitor))
      }
    }
  }

  // MARK: - Order

  /// The last stonewall at or before a job of the plan.
  private func wall(_ jobIndex: Int) -> Int { plan.jobs[...jobIndex].lastIndex { $0.stonewall } ?? 0 }

  /// Whether a job will never begin.
  private func isCalledOff(_ thread: JobThread) -> Bool { thread.stage == .waiting && thread.setup.stop.isStopped }

  /// `exitall`: jobs that have ended take others with them.
  private func endOthers() {
    let ended = monitor.read { threads.filter { $0.stage == .ended && $0.setup.options.endsOthers } }
    guard !ended.isEmpty else { return }
    func with(_ scope: ExitScope) -> [JobThread] { ended.filter { $0.setup.options.endedWithIt == scope } }
    let groups = Set(with(.group).map(\.groupIdentifier))
    let walls = Set(with(.stonewall).map { wall($0.jobIndex) })
    let endsAll = !with(.all).isEmpty
    for thread in threads
    where endsAll || groups.contains(thread.groupIdentifier) || walls.contains(wall(thread.jobIndex)) {
      thread.setup.stop.stop()
    }
  }

  /// Whether all that a job waits for has ended.
  private func isEligible(_ thread: JobThread) -> Bool {
    guard thread.stage == .waiting, !thread.setup.stop.isStopped else { return false }
    // Everything before the last stonewall must be over.
    let wall = wall(thread.jobIndex)
    for other in threads where other.stage != .ended && !isCalledOff(other) {
      if other.jobIndex < wall { return false }
      if let name = thread.setup.options.waitFor, other.setup.options.name == name, other.jobIndex < thread.jobIndex {
        return false
      }
    }
    return true
  }

  private func schedule() {
    let displayInterval: UInt64 = 1_000_000_000
    var nextDisplay = startNanoseconds + displayInterval
    var nextStatus = invocation.statusInterval > 0 ? startNanoseconds + invocation.statusInterval : UInt64.max
    var round: [JobThread] = []
    while true {
      endOthers()
      if round.isEmpty {
        // A new round only when the last one runs: its jobs start together.
        round = monitor.read { threads.filter(isEligible) }
        for thread in round { thread.start() }
      }
      // Nothing but this loop lets them go, and a job that is ready stays so or ends.
      let isRoundReady = monitor.read {
        !round.isEmpty && round.allSatisfy { $0.stage == .ready || $0.stage == .ended }
      }
      // Not under the monitor: every job of the round is asking it whether it may begin, or tells it that it has ended.
      if isRoundReady { ProgramPages.release() }
      let isOver = monitor.update {
        if isRoundReady {
          for thread in round where thread.stage == .ready { thread.stage = .going }
          round = []
        }
        return threads.allSatisfy { $0.stage == .ended || isCalledOff($0) }
      }
      if isOver { return }
      let now = clock.now()
      if now >= nextDisplay {
        nextDisplay = now + displayInterval
        showStatus(now)
      }
      if now >= nextStatus {
        nextStatus = now + invocation.statusInterval
        showSnapshot()
      }
      let ended = monitor.read { threads.count { $0.stage == .ended } }
      monitor.wait(untilNanoseconds: min(now + 100_000_000, nextDisplay, nextStatus)) { [threads] in
        threads.count { $0.stage == .ended } != ended
          || (!round.isEmpty && round.allSatisfy { $0.stage == .ready || $0.stage == .ended })
      }
    }
  }

  // MARK: - While running

  private func showStatus(_ now: UInt64) {
    guard output.showsStatus else { return }
    var secondsAfter = 0.0
    var waitingWave = -1
    let stages = monitor.read { threads.map(\.stage) }
    for (thread, stage) in zip(threads, stages) where stage == .waiting {
      // Clones and jobs of one wave run together: the longest counts.
      let options = thread.setup.options
      let seconds = Double((options.runtime ?? 0) + options.rampTime) / 1e9
      if thread.groupIdentifier != waitingWave {
        secondsAfter += seconds
        waitingWave = thread.groupIdentifier
      }
    }
    let jobs = zip(threads, stages).map { thread, stage in
      let progress = thread.setup.progress
      var job = StatusLine.Job(
        state: progress.state, pattern: thread.setup.options.pattern, done: nil, secondsLeft: nil,
        totals: PerDirection(
          read: progress.totals(.read), write: progress.totals(.write), trim: progress.totals(.trim)),
        pathsDown: progress.pathReport()?.paths.filter { $0.obstacle != nil }.map(\.address) ?? [])
      guard stage == .going, progress.startNanoseconds > 0 else { return job }
      let elapsed = Double(now - min(now, progress.startNanoseconds)) / 1e9
      let options = thread.setup.options
      var left: [Double] = []
      if let runtime = options.runtime { left.append(max(0, Double(runtime + options.rampTime) / 1e9 - elapsed)) }
      if let limit = thread.setup.byteLimit, job.state != .verifying {
        let total = Double(limit) * Double(options.loops)
        let done = DataDirection.allCases.reduce(0.0) { $0 + Double(job.totals[$1].byteCount) }
        if done > 0 { left.append(max(0, elapsed * (total - done) / done)) }
      }
      job.secondsLeft = left.min()
      return job
    }
    let line = statusLine.render(
      jobs, now: now, elapsedSeconds: Double(now - startNanoseconds) / 1e9, secondsAfter: secondsAfter)
    output.status(line, now: now)
  }

  /// status-interval: a whole report of what has been measured so far.
  private func showSnapshot() {
    let running = monitor.read { threads.filter { $0.stage == .going } }
    guard !running.isEmpty else { return }
    for thread in running { thread.setup.progress.requestSnapshot() }
    var snapshots: [ObjectIdentifier: JobStatistics] = [:]
    let deadline = clock.now() + 500_000_000
    while snapshots.count < running.count, clock.now() < deadline {
      for thread in running where snapshots[ObjectIdentifier(thread)] == nil {
        guard var statistics = thread.setup.progress.takeSnapshot() else { continue }
        statistics.paths = thread.setup.progress.pathReport()
        snapshots[ObjectIdentifier(thread)] = statistics
      }
      clock.sleep(nanoseconds: 2_000_000)
    }
    output.clearStatus()
    // The report at the end tells of one that could not be written.
    try? output.report(
      report { thread in
        thread.outcome
          ?? snapshots[ObjectIdentifier(thread)].map {
            JobOutcome(statistics: $0, threadIdentifier: thread.threadIdentifier)
          }
      })
  }

  private func report(outcome: (JobThread) -> JobOutcome? = { $0.outcome }) -> RunReport {
    var time = timespec()
    clock_gettime(CLOCK_REALTIME, &time)
    let elapsed = Int((clock.now() - startNanoseconds + 999_999_999) / 1_000_000_000)
    let entries = threads.compactMap { thread in
      monitor.read { outcome(thread) }.map {
        ReportEntry(
          name: thread.setup.options.name, groupIdentifier: thread.groupIdentifier, options: thread.setup.options,
          outcome: $0, endSeconds: thread.endSeconds == 0 ? time.tv_sec : thread.endSeconds, elapsedSeconds: elapsed)
      }
    }
    return RunReport(
      entries: entries, globalOptions: plan.globalOptions, notes: notes,
      targets: deviceOrder.map(\.name), timestampMilliseconds: time.tv_sec * 1000 + time.tv_nsec / 1_000_000)
  }
}
