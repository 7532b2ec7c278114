/// The phases of a job: its start, the work, a flush at the end, reading back what was written.
extension JobLoad {
  /// startdelay.
  mutating func waitForStart(atMost longestWait: UInt64) {
    guard setup.options.startDelay > 0 else { return }
    let until = clock.now() &+ setup.options.startDelay
    while !stop.isStopped {
      let now = clock.now()
      if now >= until { break }
      clock.sleep(nanoseconds: min(until - now, longestWait))
    }
  }

  mutating func start() {
    let options = setup.options
    let begin = clock.now()
    progress.startNanoseconds = max(1, begin)
    measureStart = begin
    phaseStart = begin
    bandwidthWindow.begin(at: begin)
    iopsWindow.begin(at: begin)
    log?.begin(at: begin)
    histogramLog?.begin(at: begin)
    nextPeriodic = begin &+ Self.periodicInterval
    isRamping = options.rampTime > 0
    rampEnd = begin &+ options.rampTime
    if let runtime = options.runtime { end = rampEnd &+ runtime }
    progress.state = isRamping ? .ramping : .running
    usageAtStart = ProcessorUsage.ofCallingThread()
    search?.begin(at: begin)
    restartSchedule(begin)
  }

  private var mayContinue: Bool { !stop.isStopped && !leaksBuffers && !hasGivenUp }

  /// end_fsync: one flush, waited for. The job's end, which is to be set again after it; nil when there is none to do.
  mutating func beginFlush() -> UInt64? {
    guard setup.options.flushAtEnd, setup.options.pattern.includes(.write), mayContinue else { return nil }
    progress.state = .flushing
    pending = IOSlot(purpose: .flush, direction: .write)
    hasPending = true
    sourceIsDry = true
    isStopping = false
    let savedEnd = end
    end = UInt64.max
    return savedEnd
  }

  /// Whether what was written is read back now.
  mutating func beginFinalVerify() -> Bool {
    guard loop.fillsForVerify, setup.options.doVerify, mayContinue else { return false }
    phase = .finalVerify
    progress.state = .verifying
    sourceIsDry = false
    isStopping = false
    end = UInt64.max
    hasPending = false
    phaseStart = clock.now()
    return true
  }

  mutating func outcome() -> JobOutcome {
    progress.state = .finishing
    let finish = clock.now()
    statistics.usage = ProcessorUsage.ofCallingThread().since(usageAtStart)
    statistics.totalRuntime = finish - measureStart
    statistics.measuredTime = measureStart...finish
    publish()
    log?.periodic(finish, isEnd: true)
    histogramLog?.periodic(finish, isEnd: true)
    var outcome = JobOutcome(
      statistics: assembled(detached: false), failure: failure, failureCount: failureCount,
      threadIdentifier: ThreadIdentity.current(), log: log, histogramLog: histogramLog)
    outcome.endedInRamp = isRamping
    outcome.searchIsUnfinished = searchIsUnfinished
    outcome.overdueCount = overdueCount
    return outcome
  }

  /// Once a turn: what is due by the clock, and whether the job is to stop.
  @inline(__always)
  mutating func look(_ now: UInt64) {
    if now >= nextPeriodic { periodic(now) }
    if !isStopping, now >= end || stop.isStopped { isStopping = true }
    // A window that is over when nothing is issued any more comes too late: nothing would be measured after it.
    if search != nil, !isStopping, !sourceIsDry { searchDepth(now) }
    if isStopping, !sourceIsDry {
      if loop.isRated { countOverdue(min(now, end)) }
      sourceIsDry = true
      dropPlanned()
    }
  }

  /// The job ends: what is planned is not issued any more. A block that was to be read back goes back to the backlog,
  /// of which the verification at the end reads the rest.
  private mutating func dropPlanned() {
    if loop.backlogLimit > 0 {
      if hasPending, pending.purpose == .verify { putBack(pending) }
      if prepared >= 0, slots[prepared].purpose == .verify { putBack(slots[prepared]) }
    }
    hasPending = false
    cancelPrepared()
  }

  private mutating func putBack(_ slot: IOSlot) {
    backlog.append(BlockRing.Entry(offset: slot.offset, byteCount: slot.byteCount))
  }

  mutating func giveUpInFlight(afterSeconds seconds: UInt64) {
    note(JobFailure(.timeout, "\(inFlight) I/Os did not come back within \(seconds) s after the end of the job"))
    leaksBuffers = true
  }
}
