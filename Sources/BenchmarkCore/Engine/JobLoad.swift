/// The load of one job: which I/O comes next, what has become of those in flight, and what was measured. It neither
/// submits nor waits: that is ``JobRunner``'s, and at the `async` face the tasks'.
///
/// Everything is allocated in `init`; on the path of an I/O nothing is, no lock is taken and no closure called.
struct JobLoad<Clock: BenchmarkClock>: ~Copyable {
  enum Phase {
    case work
    /// Reading back a batch of what was written (verify_backlog).
    case backlog
    /// Reading back what was written when the writing is over.
    case finalVerify
  }

  /// What there is to do now.
  enum Next {
    case submit(ChannelCommand)
    /// Nothing before this time, in the clock's nanoseconds.
    case notBefore(UInt64)
    /// Nothing before another I/O has ended, or nothing any more.
    case nothing
  }

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
  var inFlight = 0
  /// How many may be, which is the queue depth but for a search.
  var inFlightLimit: Int
  var search: DepthSearch?
  /// Memory that a device may still write to is not given back.
  var leaksBuffers = false

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
  var sourceIsDry = false
  var isStopping = false
  /// A failure that the options do not tolerate: no further phase follows.
  var hasGivenUp = false
  var fillSeed: UInt64
  var writesSinceFlush: UInt64 = 0
  /// I/Os issued or ended, as `thinktime_blocks_type` has it, since the last pause was due.
  var countedSinceThink: UInt64 = 0
  var hasIssuedSinceThink = false
  /// A pause is due, and waits for what is in flight.
  var isQuiescing = false
  /// I/Os that a schedule had due when the job ended.
  var overdueCount: UInt64 = 0
  var thinkUntil: UInt64 = 0

  // Verification.
  let verifier: BlockVerifier
  var ledger: WriteLedger
  var backlog: BlockRing
  var backlogLeft = 0
  var finalIndex = 0

  // Results.
  var searchedDepth: Int?
  var searchIsUnfinished = false
  let directions: UnsafeMutablePointer<DirectionStatistics>
  var statistics = JobStatistics()
  var failure: JobFailure?
  var failureCount: UInt64 = 0
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
  /// Of single I/Os or windows; nil where none is wanted.
  let log: IOLog?
  let histogramLog: HistogramLog?
  var publishedBase: (UInt64, UInt64, UInt64, UInt64, UInt64, UInt64) = (0, 0, 0, 0, 0, 0)

  init(setup: JobSetup, clock: Clock) {
    let options = setup.options
    self.clock = clock
    self.setup = setup
    progress = setup.progress
    stop = setup.stop
    let loop = JobLoopOptions(options)
    self.loop = loop
    let unit = VerifyLayout.unit(of: options)
    verifier = BlockVerifier(
      method: options.verify ?? .null, unit: unit, identity: setup.writerIdentity, pattern: options.verifyPattern)
    ledger = WriteLedger(
      region: loop.keepsLedger ? setup.region : BlockRegion(start: setup.region.start, byteCount: 0), unit: unit)
    backlog = BlockRing(capacity: loop.backlogLimit > 0 ? loop.backlogLimit + loop.depth + 1 : 1)

    slots = .allocate(capacity: loop.depth)
    slots.initialize(repeating: IOSlot(), count: loop.depth)
    freeSlots = .allocate(capacity: loop.depth)
    for index in 0..<loop.depth { freeSlots[index] = UInt32(loop.depth - 1 - index) }
    freeCount = loop.depth
    search = DepthSearch(options)
    inFlightLimit = search?.limit ?? loop.depth
    bufferStride = (Int(options.largestBlock) + 4095) / 4096 * 4096
    buffers = .allocate(byteCount: bufferStride * loop.depth, alignment: 4096)
    var seeds = setup.seed ^ 0x6669_6c6c
    for index in 0..<loop.depth {
      BufferFiller.fill(
        UnsafeMutableRawBufferPointer(start: buffers + index * bufferStride, count: bufferStride), options,
        seed: RandomGenerator.splitMix(&seeds))
    }
    fillSeed = seeds

    workload = WorkloadGenerator(options, region: setup.region, byteLimit: setup.byteLimit, seed: setup.seed)
    readPacer = options.pattern.includes(.read) ? RatePacer(options, .read, seed: setup.seed) : nil
    writePacer = options.pattern.includes(.write) ? RatePacer(options, .write, seed: setup.seed &+ 1) : nil
    trimPacer = options.pattern.includes(.trim) ? RatePacer(options, .trim, seed: setup.seed &+ 2) : nil
    bandwidthWindow = SampleWindow(nanoseconds: options.bandwidthWindow)
    iopsWindow = SampleWindow(nanoseconds: options.iopsWindow)
    let logByteLimit = JobSetup.logByteLimit(options)
    log = options.log.hasEntries ? IOLog(options.log, pattern: options.pattern, byteLimit: logByteLimit) : nil
    histogramLog =
      options.log.histogramPrefix == nil || options.log.histogramWindow == 0
      ? nil : HistogramLog(windowNanoseconds: options.log.histogramWindow)
    directions = .allocate(capacity: 3)
    for index in 0..<3 { (directions + index).initialize(to: DirectionStatistics()) }
  }

  deinit {
    slots.deallocate()
    freeSlots.deallocate()
    if !leaksBuffers { buffers.deallocate() }
    directions.deinitialize(count: 3)
    directions.deallocate()
  }
}
