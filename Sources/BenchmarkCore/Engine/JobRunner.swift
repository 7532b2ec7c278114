/// Runs one job on the calling thread: next operation, submit, poll, record. Everything is allocated in `init`; the loop
/// allocates nothing, takes no lock and calls through no closure.
struct JobRunner<Channel: BenchmarkChannel & ~Copyable, Clock: BenchmarkClock>: ~Copyable {
  enum Phase {
    case work
    /// Reading back a batch of what was written (verify_backlog).
    case backlog
    /// Reading back what was written when the writing is over.
    case finalVerify
  }

  /// No wait is longer, so that signals, snapshots and the end of the runtime are seen in time.
  private static var longestWait: UInt64 { 20_000_000 }
  /// After the end, I/O in flight gets so long to come back.
  private static var drainLimit: UInt64 { 60_000_000_000 }

  var channel: Channel
  var clock: Clock
  let setup: JobSetup
  let progress: JobProgress
  let stop: StopSignal
  let loop: JobLoopOptions

  // The queue depth's slots and buffers.
  let slots: UnsafeMutablePointer<IOSlot>
  let freeSlots: UnsafeMutablePointer<UInt32>
  var freeCount: Int
  let buffers: UnsafeMutableRawPointer
  let bufferStride: Int
  private let completions: UnsafeMutableBufferPointer<ChannelCompletion>
  var inFlight = 0
  private var leaksBuffers = false

  // The workload.
  var workload: WorkloadGenerator
  var readPacer: RatePacer?
  var writePacer: RatePacer?
  var trimPacer: RatePacer?
  var phase = Phase.work
  var pending = IOSlot()
  var hasPending = false
  /// A slot that is filled and only waits for the channel to take it; −1 is none.
  var prepared = -1
  private var sourceIsDry = false
  var isStopping = false
  /// A failure that the options do not tolerate: no further phase follows.
  var hasGivenUp = false
  var fillSeed: UInt64
  var writesSinceFlush: UInt64 = 0
  var issuedSinceThink: UInt64 = 0
  var thinkUntil: UInt64 = 0

  // Verification.
  let verifier: BlockVerifier
  var ledger: WriteLedger
  var backlog: BlockRing
  var backlogLeft = 0
  var finalIndex = 0

  // Results.
  let directions: UnsafeMutablePointer<DirectionStatistics>
  var statistics = JobStatistics()
  var failure: JobFailure?
  var failureCount: UInt64 = 0
  var begin: UInt64 = 0
  var measureStart: UInt64 = 0
  var phaseStart: UInt64 = 0
  var phaseOperations: (UInt64, UInt64, UInt64) = (0, 0, 0)
  var rampEnd: UInt64 = 0
  var isRamping = false
  var end = UInt64.max
  var usageAtStart = ProcessorUsage()
  var nextPeriodic: UInt64 = 0
  var bandwidthWindow: SampleWindow
  var iopsWindow: SampleWindow
  var publishedBase: (UInt64, UInt64, UInt64, UInt64, UInt64, UInt64) = (0, 0, 0, 0, 0, 0)

  init(setup: JobSetup, channel: consuming Channel, clock: Clock) {
    let options = setup.options
    self.channel = channel
    self.clock = clock
    self.setup = setup
    progress = setup.progress
    stop = setup.stop
    let loop = JobLoopOptions(options)
    self.loop = loop
    let verifies = options.verify != nil
    let unit = VerifyLayout.unit(of: options)
    verifier = BlockVerifier(
      method: options.verify ?? .null, unit: unit, identity: setup.seed, pattern: options.verifyPattern)
    ledger = WriteLedger(
      region: loop.keepsLedger ? setup.region : BlockRegion(start: setup.region.start, byteCount: 0), unit: unit)
    backlog = BlockRing(capacity: loop.backlogLimit > 0 ? loop.backlogLimit + loop.depth + 1 : 1)

    slots = .allocate(capacity: loop.depth)
    slots.initialize(repeating: IOSlot(), count: loop.depth)
    freeSlots = .allocate(capacity: loop.depth)
    for index in 0..<loop.depth { freeSlots[index] = UInt32(loop.depth - 1 - index) }
    freeCount = loop.depth
    completions = .allocate(capacity: max(loop.depth, 1))
    completions.initialize(repeating: ChannelCompletion(token: 0, isSuccess: true))
    bufferStride = (Int(options.largestBlock) + 4095) / 4096 * 4096
    buffers = .allocate(byteCount: bufferStride * loop.depth, alignment: 4096)
    let all = UnsafeMutableRawBufferPointer(start: buffers, count: bufferStride * loop.depth)
    if options.zeroBuffers {
      all.initializeMemory(as: UInt8.self, repeating: 0)
    } else if !options.bufferPattern.isEmpty || (!options.verifyPattern.isEmpty && verifies) {
      let pattern = options.bufferPattern.isEmpty ? options.verifyPattern : options.bufferPattern
      for index in 0..<loop.depth {
        BufferFiller.fill(
          UnsafeMutableRawBufferPointer(start: buffers + index * bufferStride, count: bufferStride), pattern: pattern)
      }
    } else {
      BufferFiller.fillRandom(all, seed: setup.seed)
    }
    fillSeed = setup.seed ^ 0x6669_6c6c

    workload = WorkloadGenerator(options, region: setup.region, byteLimit: setup.byteLimit, seed: setup.seed)
    readPacer = options.pattern.includes(.read) ? RatePacer(options, .read, seed: setup.seed) : nil
    writePacer = options.pattern.includes(.write) ? RatePacer(options, .write, seed: setup.seed &+ 1) : nil
    trimPacer = options.pattern.includes(.trim) ? RatePacer(options, .trim, seed: setup.seed &+ 2) : nil
    bandwidthWindow = SampleWindow(nanoseconds: options.bandwidthWindow)
    iopsWindow = SampleWindow(nanoseconds: options.iopsWindow)
    directions = .allocate(capacity: 3)
    for index in 0..<3 { (directions + index).initialize(to: DirectionStatistics()) }
  }

  deinit {
    slots.deallocate()
    freeSlots.deallocate()
    completions.deallocate()
    // Memory that a device may still write to is not given back.
    if !leaksBuffers { buffers.deallocate() }
    directions.deinitialize(count: 3)
    directions.deallocate()
  }

  // MARK: - The whole job

  /// Runs the job to its end.
  mutating func run() -> JobOutcome {
    let options = setup.options
    if options.startDelay > 0 {
      let until = clock.now() &+ options.startDelay
      while !stop.isStopped {
        let now = clock.now()
        if now >= until { break }
        clock.sleep(nanoseconds: min(until - now, Self.longestWait))
      }
    }
    begin = clock.now()
    progress.startNanoseconds = max(1, begin)
    measureStart = begin
    phaseStart = begin
    bandwidthWindow.begin(at: begin)
    iopsWindow.begin(at: begin)
    nextPeriodic = begin &+ Self.periodicInterval
    isRamping = options.rampTime > 0
    rampEnd = begin &+ options.rampTime
    if let runtime = options.runtime { end = rampEnd &+ runtime }
    progress.state = isRamping ? .ramping : .running
    usageAtStart = ProcessorUsage.ofCallingThread()
    readPacer?.start(at: begin)
    writePacer?.start(at: begin)
    trimPacer?.start(at: begin)

    drive()
    closePhase()

    if options.flushAtEnd, options.pattern.includes(.write), mayContinue { flushOnce() }
    if loop.fillsForVerify, options.doVerify, mayContinue {
      phase = .finalVerify
      progress.state = .verifying
      sourceIsDry = false
      isStopping = false
      end = UInt64.max
      hasPending = false
      phaseStart = clock.now()
      drive()
      closePhase()
    }
    progress.state = .finishing
    let finish = clock.now()
    statistics.usage = ProcessorUsage.ofCallingThread().since(usageAtStart)
    statistics.totalRuntime = finish - measureStart
    statistics.measuredTime = measureStart...finish
    publish()
    return JobOutcome(
      statistics: assembled(detached: false), failure: failure, failureCount: failureCount,
      threadIdentifier: ThreadIdentity.current())
  }

  private var mayContinue: Bool { !stop.isStopped && !leaksBuffers && !hasGivenUp }

  /// end_fsync: one flush, waited for.
  private mutating func flushOnce() {
    progress.state = .flushing
    pending = IOSlot(purpose: .flush, direction: .write)
    hasPending = true
    sourceIsDry = true
    isStopping = false
    let savedEnd = end
    end = UInt64.max
    drive()
    end = savedEnd
  }

  /// Submits and collects until the source is dry (or the job is to stop) and nothing is in flight.
  private mutating func drive() {
    var drainDeadline = UInt64.max
    while true {
      var now = clock.now()
      if now >= nextPeriodic { periodic(now) }
      if !isStopping, now >= end || stop.isStopped { isStopping = true }
      if isStopping, !sourceIsDry {
        sourceIsDry = true
        hasPending = false
        cancelPrepared()
      }
      var submitted = 0
      var wakeAt = UInt64.max
      var channelIsBusy = false
      while prepared >= 0 || inFlight < loop.depth {
        if prepared < 0 {
          if !hasPending {
            if sourceIsDry { break }
            if !fetchNext(now) {
              sourceIsDry = true
              break
            }
          }
          if pending.start > now {
            wakeAt = pending.start
            break
          }
          if let until = holdUntil(now) {
            wakeAt = until
            break
          }
          if loop.keepsLedger, pending.purpose != .flush, ledger.isBusy(pending.offset, pending.byteCount) { break }
          let fills = prepare(now)
          if fills {
            // Making the data is not part of the I/O.
            now = clock.now()
            if !loop.isRated { slots[prepared].start = now }
          }
        }
        switch submitPrepared() {
        case .accepted:
          submitted += 1
          // Without submission latencies one reading of the clock serves the whole batch.
          let after = loop.recordsSubmission ? clock.now() : now
          let index = prepared
          prepared = -1
          inFlight += 1
          // A rated I/O's waiting before it was submitted belongs to its completion latency, see `complete`.
          slots[index].submission = after &- now
          if slots[index].purpose != .flush { statistics.depths.recordDepth(inFlight) }
          now = after
        case .busy:
          channelIsBusy = true
        case .refused:
          let index = prepared
          prepared = -1
          failed(index, channel.failureDescription())
          release(index)
        }
        if channelIsBusy || isStopping { break }
      }
      if submitted > 0 { statistics.submitBatches.recordBatch(submitted) }
      if inFlight == 0, prepared < 0 {
        if sourceIsDry { return }
        if wakeAt == UInt64.max, !channelIsBusy, hasPending == false { continue }
      }
      if isStopping {
        // The limit counts from when stopping began, not from the last completion: a slow trickle ends too.
        if drainDeadline == UInt64.max { drainDeadline = now &+ Self.drainLimit }
        if now >= drainDeadline {
          note(JobFailure(.timeout, "\(inFlight) I/Os did not come back within 60 s after the end of the job"))
          leaksBuffers = true
          return
        }
      }
      let count = channel.poll(into: completions, waitNanoseconds: waitLength(now, wakeAt, channelIsBusy))
      if count > 0 {
        statistics.completeBatches.recordBatch(count)
        let after = clock.now()
        for index in 0..<count { complete(completions[index], after) }
      }
    }
  }

  @inline(__always)
  private func waitLength(_ now: UInt64, _ wakeAt: UInt64, _ channelIsBusy: Bool) -> UInt64 {
    var wait = channelIsBusy && inFlight == 0 ? 1_000_000 : Self.longestWait
    if wakeAt != UInt64.max {
      let until = wakeAt > now ? wakeAt - now : 0
      wait = min(wait, until > loop.spinBeforeStart ? until - loop.spinBeforeStart : 0)
    }
    if end > now { wait = min(wait, end - now) }
    return wait
  }
}
