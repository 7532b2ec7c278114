/// Runs one job on the calling thread: next operation, submit, poll, record. Everything is allocated in `init`; the loop
/// allocates nothing, takes no lock and calls through no closure.
struct JobRunner<Channel: BenchmarkChannel & ~Copyable, Clock: BenchmarkClock>: ~Copyable {
  private enum Phase {
    case work
    /// Reading back a batch of what was written (verify_backlog).
    case backlog
    /// Reading back what was written when the writing is over.
    case finalVerify
  }

  /// No wait is longer, so that signals, snapshots and the end of the runtime are seen in time.
  private static var longestWait: UInt64 { 20_000_000 }
  private static var periodicInterval: UInt64 { 10_000_000 }
  /// After the end, I/O in flight gets so long to come back.
  private static var drainLimit: UInt64 { 60_000_000_000 }

  private var channel: Channel
  private var clock: Clock
  private let setup: JobSetup
  private let progress: JobProgress
  private let stop: StopSignal

  // Options of the hot loop, as plain values.
  private let depth: Int
  private let isRated: Bool
  /// Before a planned start the job polls without sleeping for this long: waking up is less exact than that.
  private let spinBeforeStart: UInt64
  private let recordsSubmission: Bool
  private let recordsCompletion: Bool
  private let recordsTotal: Bool
  private let wantsSubmissionPercentiles: Bool
  private let wantsCompletionPercentiles: Bool
  private let wantsTotalPercentiles: Bool
  private let refills: Bool
  private let forceUnitAccess: Bool
  private let flushEvery: UInt64
  private let thinkTime: UInt64
  private let thinkBlocks: UInt64
  private let thinksAtIssue: Bool
  private let maximumLatency: UInt64
  private let fillsForVerify: Bool
  private let checksWorkReads: Bool
  private let keepsLedger: Bool
  private let backlogLimit: Int
  private let backlogBatch: Int
  /// Units read back at once when everything is checked at the end.
  private let unitsPerRead: Int

  // The queue depth's slots and buffers.
  private let slots: UnsafeMutablePointer<IOSlot>
  private let freeSlots: UnsafeMutablePointer<UInt32>
  private var freeCount: Int
  private let buffers: UnsafeMutableRawPointer
  private let bufferStride: Int
  private let completions: UnsafeMutableBufferPointer<ChannelCompletion>
  private var inFlight = 0
  private var leaksBuffers = false

  // The workload.
  private var workload: WorkloadGenerator
  private var readPacer: RatePacer?
  private var writePacer: RatePacer?
  private var trimPacer: RatePacer?
  private var phase = Phase.work
  private var pending = IOSlot()
  private var hasPending = false
  /// A slot that is filled and only waits for the channel to take it; −1 is none.
  private var prepared = -1
  private var sourceIsDry = false
  private var isStopping = false
  /// A failure that the options do not tolerate: no further phase follows.
  private var hasGivenUp = false
  private var fillSeed: UInt64
  private var writesSinceFlush: UInt64 = 0
  private var issuedSinceThink: UInt64 = 0
  private var thinkUntil: UInt64 = 0

  // Verification.
  private let verifier: BlockVerifier
  private var ledger: WriteLedger
  private var backlog: BlockRing
  private var backlogLeft = 0
  private var finalIndex = 0

  // Results.
  private let directions: UnsafeMutablePointer<DirectionStatistics>
  private var statistics = JobStatistics()
  private var failure: JobFailure?
  private var failureCount: UInt64 = 0
  private var begin: UInt64 = 0
  private var measureStart: UInt64 = 0
  private var phaseStart: UInt64 = 0
  private var phaseOperations: (UInt64, UInt64, UInt64) = (0, 0, 0)
  private var rampEnd: UInt64 = 0
  private var isRamping = false
  private var end = UInt64.max
  private var usageAtStart = ProcessorUsage()
  private var nextPeriodic: UInt64 = 0
  private var bandwidthSampleStart: UInt64 = 0
  private var iopsSampleStart: UInt64 = 0
  private var bandwidthSampleBytes: (UInt64, UInt64, UInt64) = (0, 0, 0)
  private var iopsSampleOperations: (UInt64, UInt64, UInt64) = (0, 0, 0)
  private var publishedBase: (UInt64, UInt64, UInt64, UInt64, UInt64, UInt64) = (0, 0, 0, 0, 0, 0)

  init(setup: JobSetup, channel: consuming Channel, clock: Clock) {
    let options = setup.options
    self.channel = channel
    self.clock = clock
    self.setup = setup
    progress = setup.progress
    stop = setup.stop
    depth = Int(options.totalDepth)
    isRated = options.isRated
    spinBeforeStart = options.waitStyle.spinBeforeStartNanoseconds
    recordsSubmission = options.measuresSubmission
    recordsCompletion = options.measuresCompletion
    recordsTotal = options.measuresTotal
    wantsSubmissionPercentiles = options.submissionPercentiles
    wantsCompletionPercentiles = options.reportsCompletionPercentiles
    wantsTotalPercentiles = options.reportsTotalPercentiles
    refills = options.refillBuffers
    forceUnitAccess = options.forceUnitAccess
    flushEvery = options.pattern.includes(.write) ? options.flushEvery : 0
    thinkTime = options.thinkTime
    thinkBlocks = max(1, options.thinkTimeBlocks)
    thinksAtIssue = options.thinkTimeTrigger == .issue
    maximumLatency = options.maximumLatency ?? UInt64.max
    let writes = options.pattern.includes(.write)
    let verifies = options.verify != nil
    fillsForVerify = verifies && writes && !options.verifyOnly
    keepsLedger = fillsForVerify
    checksWorkReads = verifies && (!writes || options.verifyOnly)
    backlogLimit = fillsForVerify && options.doVerify ? Int(clamping: min(options.verifyBacklog, 1 << 24)) : 0
    backlogBatch =
      options.verifyBacklogBatch > 0 ? Int(clamping: min(options.verifyBacklogBatch, 1 << 24)) : backlogLimit
    let unit = VerifyLayout.unit(of: options)
    unitsPerRead = max(1, Int(options.largestBlock / max(1, unit)))
    verifier = BlockVerifier(
      method: options.verify ?? .null, unit: unit, identity: setup.seed, pattern: options.verifyPattern)
    ledger = WriteLedger(
      region: keepsLedger ? setup.region : BlockRegion(start: setup.region.start, byteCount: 0), unit: unit)
    backlog = BlockRing(capacity: backlogLimit > 0 ? backlogLimit + depth + 1 : 1)

    slots = .allocate(capacity: depth)
    slots.initialize(repeating: IOSlot(), count: depth)
    freeSlots = .allocate(capacity: depth)
    for index in 0..<depth { freeSlots[index] = UInt32(depth - 1 - index) }
    freeCount = depth
    completions = .allocate(capacity: max(depth, 1))
    completions.initialize(repeating: ChannelCompletion(token: 0, isSuccess: true))
    bufferStride = (Int(options.largestBlock) + 4095) / 4096 * 4096
    buffers = .allocate(byteCount: bufferStride * depth, alignment: 4096)
    let all = UnsafeMutableRawBufferPointer(start: buffers, count: bufferStride * depth)
    if options.zeroBuffers {
      all.initializeMemory(as: UInt8.self, repeating: 0)
    } else if !options.bufferPattern.isEmpty || (!options.verifyPattern.isEmpty && verifies) {
      let pattern = options.bufferPattern.isEmpty ? options.verifyPattern : options.bufferPattern
      for index in 0..<depth {
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
    bandwidthSampleStart = begin
    iopsSampleStart = begin
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
    if fillsForVerify, options.doVerify, mayContinue {
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
      while prepared >= 0 || inFlight < depth {
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
          if keepsLedger, pending.purpose != .flush, ledger.isBusy(pending.offset, pending.byteCount) { break }
          let fills = prepare(now)
          if fills {
            // Making the data is not part of the I/O.
            now = clock.now()
            if !isRated { slots[prepared].start = now }
          }
        }
        switch submitPrepared() {
        case .accepted:
          submitted += 1
          // Without submission latencies one reading of the clock serves the whole batch.
          let after = recordsSubmission ? clock.now() : now
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
      wait = min(wait, until > spinBeforeStart ? until - spinBeforeStart : 0)
    }
    if end > now { wait = min(wait, end - now) }
    return wait
  }

  // MARK: - What comes next

  /// Plans the next I/O into `pending`; false when there is none.
  private mutating func fetchNext(_ now: UInt64) -> Bool {
    switch phase {
    case .work:
      if backlogLimit > 0, backlog.count >= backlogLimit {
        phase = .backlog
        backlogLeft = backlogBatch
        return fetchNext(now)
      }
      return fetchWork()
    case .backlog:
      if backlogLeft > 0, let entry = backlog.popFirst() {
        backlogLeft -= 1
        planVerify(entry.offset, entry.byteCount)
        return true
      }
      phase = .work
      return fetchWork()
    case .finalVerify:
      if backlogLimit > 0 {
        guard let entry = backlog.popFirst() else { return false }
        planVerify(entry.offset, entry.byteCount)
        return true
      }
      guard let run = ledger.nextWritten(from: finalIndex, limit: unitsPerRead) else { return false }
      finalIndex = run.upperBound
      planVerify(ledger.offset(of: run.lowerBound), UInt32(UInt64(run.count) * ledger.unit))
      return true
    }
  }

  private mutating func planVerify(_ offset: UInt64, _ byteCount: UInt32) {
    pending = IOSlot(purpose: .verify, direction: .read, byteCount: byteCount, offset: offset)
    hasPending = true
  }

  private mutating func fetchWork() -> Bool {
    if flushEvery > 0, writesSinceFlush >= flushEvery {
      writesSinceFlush = 0
      pending = IOSlot(purpose: .flush, direction: .write)
      hasPending = true
      return true
    }
    var direction = workload.nextDirection()
    if isRated, let reads = readPacer?.nextStart, let writes = writePacer?.nextStart {
      // Both directions of a mix are rated: the schedules make the mix.
      direction = reads <= writes ? .read : .write
    }
    guard let operation = workload.next(direction) else { return false }
    pending = IOSlot(
      purpose: .work, direction: direction, byteCount: operation.byteCount, offset: operation.offset)
    if isRated { pending.start = plannedStart(direction, operation.byteCount) }
    if direction == .write { writesSinceFlush &+= 1 }
    hasPending = true
    return true
  }

  /// When the schedule wants the I/O to start; 0 without a rate.
  private mutating func plannedStart(_ direction: DataDirection, _ byteCount: UInt32) -> UInt64 {
    switch direction {
    case .read:
      let start = readPacer?.nextStart ?? 0
      readPacer?.plan(byteCount: byteCount)
      return start
    case .write:
      let start = writePacer?.nextStart ?? 0
      writePacer?.plan(byteCount: byteCount)
      return start
    case .trim:
      let start = trimPacer?.nextStart ?? 0
      trimPacer?.plan(byteCount: byteCount)
      return start
    }
  }

  /// Think time: nil when the next I/O may go, else when to look again.
  @inline(__always)
  private mutating func holdUntil(_ now: UInt64) -> UInt64? {
    guard thinkTime > 0, pending.purpose == .work else { return nil }
    if thinkUntil > now { return thinkUntil }
    guard issuedSinceThink >= thinkBlocks else { return nil }
    // Counting completions, all I/O of the round must be back before the pause begins.
    if !thinksAtIssue, inFlight > 0 { return UInt64.max }
    issuedSinceThink = 0
    thinkUntil = now &+ thinkTime
    let spin = setup.options.thinkTimeSpin
    if spin > 0 {
      while clock.now() < now &+ spin {}
    }
    if setup.options.rateIgnoresThinkTime {
      readPacer?.postpone(by: thinkTime)
      writePacer?.postpone(by: thinkTime)
      trimPacer?.postpone(by: thinkTime)
    }
    return thinkUntil
  }

  // MARK: - One I/O

  /// Gives the pending I/O a slot and its data; true when making the data took time.
  @inline(__always)
  private mutating func prepare(_ now: UInt64) -> Bool {
    freeCount -= 1
    let index = Int(freeSlots[freeCount])
    hasPending = false
    if pending.start == 0 { pending.start = now }
    slots[index] = pending
    prepared = index
    if pending.purpose == .work { issuedSinceThink &+= 1 }
    guard pending.purpose != .flush else { return false }
    if keepsLedger {
      switch (pending.purpose, pending.direction) {
      case (.verify, _): ledger.beginRead(pending.offset, pending.byteCount)
      case (_, .write): ledger.beginWrite(pending.offset, pending.byteCount)
      default: break
      }
    }
    guard pending.direction == .write else { return false }
    if fillsForVerify {
      fillUnits(index)
      return true
    }
    guard refills else { return false }
    BufferFiller.fillRandom(
      UnsafeMutableRawBufferPointer(start: buffers + index * bufferStride, count: Int(pending.byteCount)),
      seed: RandomGenerator.splitMix(&fillSeed))
    return true
  }

  private mutating func fillUnits(_ index: Int) {
    let unit = verifier.unit
    var place = 0
    while place < Int(pending.byteCount) {
      let offset = pending.offset + UInt64(place)
      verifier.fill(
        UnsafeMutableRawBufferPointer(start: buffers + index * bufferStride + place, count: unit),
        offset: offset, generation: ledger.generation(at: ledger.index(of: offset)))
      place += unit
    }
  }

  @inline(__always)
  private mutating func submitPrepared() -> ChannelSubmission {
    let slot = slots[prepared]
    let operation: ChannelOperation
    if slot.purpose == .flush {
      operation = .flush
    } else if slot.purpose == .verify || (checksWorkReads && slot.direction == .write) {
      // verify_only: what would be written is read and checked.
      operation = .read
    } else {
      switch slot.direction {
      case .read: operation = .read
      case .write: operation = .write
      case .trim: operation = .trim
      }
    }
    return channel.submit(
      ChannelCommand(
        operation: operation, forceUnitAccess: forceUnitAccess && operation == .write, token: UInt32(prepared),
        byteCount: slot.byteCount, offset: slot.offset, buffer: buffers + prepared * bufferStride))
  }

  /// Takes back an I/O that was filled in but never taken by the channel.
  private mutating func cancelPrepared() {
    guard prepared >= 0 else { return }
    let slot = slots[prepared]
    if keepsLedger, slot.purpose != .flush {
      if slot.purpose == .verify { ledger.end(slot.offset, slot.byteCount) }
      if slot.purpose == .work, slot.direction == .write { ledger.cancelWrite(slot.offset, slot.byteCount) }
    }
    release(prepared)
    prepared = -1
  }

  @inline(__always)
  private mutating func release(_ index: Int) {
    slots[index].purpose = .free
    freeSlots[freeCount] = UInt32(index)
    freeCount += 1
  }

  private mutating func complete(_ completion: ChannelCompletion, _ now: UInt64) {
    let index = Int(completion.token)
    // A channel that returns what was never given to it is wrong; counting it twice would hide that.
    guard index < depth, slots[index].purpose != .free else {
      note(JobFailure(.io, "the device completed an I/O that was not in flight (token \(completion.token))"))
      return
    }
    inFlight -= 1
    let slot = slots[index]
    defer { release(index) }
    let total = now > slot.start ? now - slot.start : 0
    guard completion.isSuccess else {
      statistics.longestFailure = max(statistics.longestFailure, total)
      failed(index, channel.failureDescription())
      return
    }
    guard slot.purpose != .flush else {
      statistics.sync.record(total)
      statistics.syncHistogram.record(total)
      return
    }
    // With a rate, `start` is the planned start: waiting for a free slot counts as completion latency, so that
    // submission + completion = total and percentiles show stalls.
    let submission = min(slot.submission, total)
    let completionLatency = total - submission
    let direction = checksWorkReads ? DataDirection.read : slot.direction
    let result = directions + direction.rawValue
    result.pointee.operations &+= 1
    result.pointee.byteCount &+= UInt64(slot.byteCount)
    if recordsSubmission {
      result.pointee.submission.record(submission)
      if wantsSubmissionPercentiles { result.pointee.submissionHistogram.record(submission) }
    }
    if recordsCompletion {
      result.pointee.completion.record(completionLatency)
      if wantsCompletionPercentiles { result.pointee.completionHistogram.record(completionLatency) }
      statistics.latencies.record(completionLatency)
    }
    if recordsTotal {
      result.pointee.total.record(total)
      if wantsTotalPercentiles { result.pointee.totalHistogram.record(total) }
    }
    if total > maximumLatency {
      note(
        JobFailure(
          .timeout,
          "an I/O at offset \(slot.offset) took \(total / 1000) µs, longer than max_latency"))
      giveUp()
    }
    if slot.purpose == .verify || checksWorkReads {
      check(index, slot)
    } else if keepsLedger, slot.direction == .write {
      ledger.end(slot.offset, slot.byteCount)
      if backlogLimit > 0 { backlog.append(BlockRing.Entry(offset: slot.offset, byteCount: slot.byteCount)) }
    }
  }

  private mutating func check(_ index: Int, _ slot: IOSlot) {
    let unit = verifier.unit
    var place = 0
    while place < Int(slot.byteCount) {
      let offset = slot.offset + UInt64(place)
      let length = min(unit, Int(slot.byteCount) - place)
      var generation: UInt32?
      if slot.purpose == .verify {
        let known = ledger.generation(at: ledger.index(of: offset))
        // Unknown since a write failed: nothing can be said of the content.
        if known == 0 {
          place += unit
          continue
        }
        generation = known
      }
      statistics.verifiedBlocks &+= 1
      if length == unit,
        let difference = verifier.check(
          UnsafeRawBufferPointer(start: buffers + index * bufferStride + place, count: unit), offset: offset,
          generation: generation)
      {
        statistics.verifyFailures &+= 1
        note(JobFailure(.verify, difference.description))
        if setup.options.verifyIsFatal || !setup.options.continueOnError.contains(.verify) && slot.purpose == .work {
          giveUp()
        }
      }
      place += unit
    }
    if slot.purpose == .verify { ledger.end(slot.offset, slot.byteCount) }
  }

  private mutating func failed(_ index: Int, _ why: String) {
    let slot = slots[index]
    let what: String
    switch (slot.purpose, slot.direction) {
    case (.flush, _): what = "flush"
    case (.verify, _): what = "read for verify"
    default: what = slot.direction.label
    }
    note(JobFailure(.io, "\(what) at offset \(slot.offset), length \(slot.byteCount): \(why)"))
    directions[slot.direction.rawValue].failures &+= 1
    if keepsLedger, slot.purpose != .flush {
      if slot.purpose == .verify {
        ledger.end(slot.offset, slot.byteCount)
      } else if slot.direction == .write {
        ledger.forget(slot.offset, slot.byteCount)
      }
    }
    let tolerated: ContinueOnError = slot.purpose == .flush || slot.direction != .read ? .write : .read
    if !setup.options.continueOnError.contains(tolerated) { giveUp() }
  }

  private mutating func giveUp() {
    hasGivenUp = true
    isStopping = true
  }

  private mutating func note(_ newFailure: JobFailure) {
    failureCount &+= 1
    if failure == nil {
      failure = newFailure
      if setup.options.endsAllOnError { stop.stop() }
    }
  }

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

  // MARK: - Ten times a second and less

  private mutating func periodic(_ now: UInt64) {
    nextPeriodic = now &+ Self.periodicInterval
    if isRamping, now >= rampEnd {
      isRamping = false
      resetForMeasurement(now)
      progress.state = .running
    }
    publish()
    if setup.options.measuresBandwidth, !isRamping {
      sampleBandwidth(now)
      sampleIOPS(now)
    }
    if progress.isSnapshotWanted {
      statistics.usage = ProcessorUsage.ofCallingThread().since(usageAtStart)
      statistics.totalRuntime = now - measureStart
      statistics.measuredTime = measureStart...now
      var copy = assembled(detached: true)
      for direction in DataDirection.allCases where operationsInPhase(direction) > 0 {
        copy.directions[direction].runtime += now - phaseStart
      }
      progress.deliver(copy)
    }
  }

  private func operationsInPhase(_ direction: DataDirection) -> UInt64 {
    let now = directions[direction.rawValue].operations
    switch direction {
    case .read: return now - phaseOperations.0
    case .write: return now - phaseOperations.1
    case .trim: return now - phaseOperations.2
    }
  }

  /// Adds the phase's length to the directions that did something in it.
  private mutating func closePhase() {
    let now = clock.now()
    for direction in DataDirection.allCases where operationsInPhase(direction) > 0 {
      directions[direction.rawValue].runtime += now - phaseStart
    }
    phaseOperations = (directions[0].operations, directions[1].operations, directions[2].operations)
    phaseStart = now
  }

  /// The ramp is over: what was counted so far was only for show.
  private mutating func resetForMeasurement(_ now: UInt64) {
    for index in 0..<3 {
      switch index {
      case 0:
        publishedBase.0 += directions[0].byteCount
        publishedBase.1 += directions[0].operations
      case 1:
        publishedBase.2 += directions[1].byteCount
        publishedBase.3 += directions[1].operations
      default:
        publishedBase.4 += directions[2].byteCount
        publishedBase.5 += directions[2].operations
      }
      directions[index] = DirectionStatistics()
    }
    statistics = JobStatistics()
    phaseOperations = (0, 0, 0)
    measureStart = now
    phaseStart = now
    bandwidthSampleStart = now
    iopsSampleStart = now
    bandwidthSampleBytes = (0, 0, 0)
    iopsSampleOperations = (0, 0, 0)
    usageAtStart = ProcessorUsage.ofCallingThread()
  }

  private func publish() {
    progress.publish(
      .read, byteCount: publishedBase.0 + directions[0].byteCount,
      operations: publishedBase.1 + directions[0].operations)
    progress.publish(
      .write, byteCount: publishedBase.2 + directions[1].byteCount,
      operations: publishedBase.3 + directions[1].operations)
    progress.publish(
      .trim, byteCount: publishedBase.4 + directions[2].byteCount,
      operations: publishedBase.5 + directions[2].operations)
  }

  private mutating func sampleBandwidth(_ now: UInt64) {
    let window = max(setup.options.bandwidthWindow, 1_000_000)
    let elapsed = now - bandwidthSampleStart
    guard elapsed >= window else { return }
    let counts = (directions[0].byteCount, directions[1].byteCount, directions[2].byteCount)
    func record(_ index: Int, _ delta: UInt64) {
      guard delta > 0 || directions[index].bandwidth.count > 0 else { return }
      directions[index].bandwidth.record(UInt64(Double(delta) / 1024 * 1e9 / Double(elapsed)))
    }
    record(0, counts.0 - bandwidthSampleBytes.0)
    record(1, counts.1 - bandwidthSampleBytes.1)
    record(2, counts.2 - bandwidthSampleBytes.2)
    bandwidthSampleBytes = counts
    bandwidthSampleStart = now
  }

  private mutating func sampleIOPS(_ now: UInt64) {
    let window = max(setup.options.iopsWindow, 1_000_000)
    let elapsed = now - iopsSampleStart
    guard elapsed >= window else { return }
    let counts = (directions[0].operations, directions[1].operations, directions[2].operations)
    func record(_ index: Int, _ delta: UInt64) {
      guard delta > 0 || directions[index].iops.count > 0 else { return }
      directions[index].iops.record(UInt64(Double(delta) * 1e9 / Double(elapsed)))
    }
    record(0, counts.0 - iopsSampleOperations.0)
    record(1, counts.1 - iopsSampleOperations.1)
    record(2, counts.2 - iopsSampleOperations.2)
    iopsSampleOperations = counts
    iopsSampleStart = now
  }

  private func assembled(detached: Bool) -> JobStatistics {
    var result = detached ? statistics.detachedCopy() : statistics
    for direction in DataDirection.allCases {
      let part = directions[direction.rawValue]
      result.directions[direction] = detached ? part.detachedCopy() : part
    }
    return result
  }
}
