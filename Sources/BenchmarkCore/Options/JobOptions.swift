/// What one job does: fio's job options with their defaults. Sizes are in bytes, times in nanoseconds.
public struct JobOptions: Sendable {
  public var name = ""
  public var description: String?
  /// The device, as written: a URI, a transport identifier, a path; nil starts the embedded target.
  public var target: String?
  public var paths = PathOptions()
  public var engine = IOEngine.poll
  public var waitStyle = WaitStyle.adaptive

  // What to access.
  public var pattern = IOPattern.read
  /// `rw=randread:8`: how many I/Os share one random place; 1 is fio's default.
  public var accessesPerOffset: UInt64 = 1
  /// `rw_sequencer=identical`: the I/Os that share a place repeat the same offset instead of going on from there.
  public var repeatsOffset = false
  /// `rw=read:4k`: bytes left out after each sequential I/O.
  public var sequentialGap: UInt64 = 0
  public var blockSizes = PerDirection<BlockSizeMix>(all: .fixed(4096))
  /// Alignment of random offsets; nil is the smallest block size.
  public var blockAlignment: PerDirection<UInt32?> = PerDirection(all: nil)
  public var size: SizeSpecification?
  public var ioSize: SizeSpecification?
  public var offset: SizeSpecification = .bytes(0)
  public var offsetAlignment: UInt64 = 0
  public var offsetIncrement: SizeSpecification = .bytes(0)
  public var numberOfIOs: UInt64 = 0
  public var loops: UInt64 = 1
  public var readMixPercent: UInt32 = 50
  public var randomSeed: UInt64?
  /// The same sequence in every run when no seed is given.
  public var randomRepeats = true
  public var noRandomMap = false
  public var distribution = RandomDistribution.uniform
  public var randomPercent = PerDirection<UInt32>(all: 100)

  // How hard and how long.
  /// I/Os in flight on each connection.
  public var depth: UInt32 = 1
  /// Associations of each job, all on the job's one thread and reactor.
  public var connectionCount: UInt32 = 1
  public var jobCount: UInt32 = 1
  public var runtime: UInt64?
  public var isTimeBased = false
  public var rampTime: UInt64 = 0
  public var startDelay: UInt64 = 0
  public var rateBytes: PerDirection<UInt64?> = PerDirection(all: nil)
  public var rateIOPS: PerDirection<UInt64?> = PerDirection(all: nil)
  public var rateProcess = RateProcess.linear
  public var rateIgnoresThinkTime = false
  public var thinkTime: UInt64 = 0
  public var thinkTimeSpin: UInt64 = 0
  public var thinkTimeBlocks: UInt64 = 1
  public var thinkTimeTrigger = ThinkTimeTrigger.complete
  /// A flush after so many writes; 0 is never.
  public var flushEvery: UInt64 = 0
  public var flushAtEnd = false
  /// Every write with force unit access.
  public var forceUnitAccess = false
  public var maximumLatency: UInt64?
  /// `latency_target`: the greatest depth is looked for at which latencies stay below it; 0: none is.
  public var latencyTarget: UInt64 = 0
  /// How long a depth is tried.
  public var latencyWindow: UInt64 = 0
  /// How many of the I/Os, in percent, must take no longer.
  public var latencyPercentile = 100.0
  /// `latency_run`: the search does not end.
  public var searchesOn = false
  public var allowedProcessors: [Int] = []

  // Content and its verification.
  public var zeroBuffers = false
  public var refillBuffers = false
  public var bufferPattern: [UInt8] = []
  public var verify: VerifyMethod?
  public var doVerify = true
  public var verifyOnly = false
  public var verifyIsFatal = false
  public var verifyInterval: UInt32 = 0
  public var verifyPattern: [UInt8] = []
  public var verifyBacklog: UInt64 = 0
  public var verifyBacklogBatch: UInt64 = 0

  // Order and reports.
  public var stonewall = false
  public var waitFor: String?
  public var newGroup = false
  public var groupReporting = false
  public var reportsStatistics = true
  public var unifiedReporting = UnifiedReporting.separate
  public var percentiles: [Double] = JobOptions.defaultPercentiles
  public var submissionPercentiles = false
  /// nil: fio's default, completion latency, unless `lat_percentiles` alone is set.
  public var completionPercentiles: Bool?
  public var totalPercentiles: Bool?
  public var measuresSubmission = true
  public var measuresCompletion = true
  public var measuresTotal = true
  public var measuresBandwidth = true
  public var bandwidthWindow: UInt64 = 500_000_000
  public var iopsWindow: UInt64 = 500_000_000
  public var significantFigures = 4
  public var log = LogOptions()
  public var continueOnError: ContinueOnError = []
  public var endsAllOnError = false
  /// When the job ends, others do: `exitall`.
  public var endsOthers = false
  public var endedWithIt = ExitScope.group

  /// Options as written, in order, for reports ("job options" in JSON) and --showcmd.
  public var given: [GivenOption] = []

  public static let defaultPercentiles: [Double] = [
    1, 5, 10, 20, 30, 40, 50, 60, 70, 80, 90, 95, 99, 99.5, 99.9, 99.95, 99.99,
  ]

  public init() {}

  /// I/Os that a job keeps in flight, over all its connections.
  public var totalDepth: UInt32 { depth * connectionCount }

  /// Whether any direction that the pattern uses has a set rate.
  public var isRated: Bool {
    DataDirection.allCases.contains { direction in
      pattern.includes(direction) && (rateBytes[direction] ?? rateIOPS[direction]) != nil
    }
  }

  /// Whether completion-latency percentiles are reported.
  public var reportsCompletionPercentiles: Bool { completionPercentiles ?? (totalPercentiles != true) }
  public var reportsTotalPercentiles: Bool { totalPercentiles ?? false }

  /// The smallest block size over the directions in use.
  public var smallestBlock: UInt32 {
    DataDirection.allCases.filter { pattern.includes($0) }.map { blockSizes[$0].smallest }.min() ?? 4096
  }

  /// The largest block size over the directions in use.
  public var largestBlock: UInt32 {
    DataDirection.allCases.filter { pattern.includes($0) }.map { blockSizes[$0].largest }.max() ?? 4096
  }
}
