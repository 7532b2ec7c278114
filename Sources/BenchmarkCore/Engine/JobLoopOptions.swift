/// What the options mean to a job's loop, as plain values.
struct JobLoopOptions {
  let depth: Int
  let isRated: Bool
  /// Reads and writes.
  let isMixed: Bool
  /// Before a planned start the job polls without sleeping for this long: waking up is less exact than that.
  let spinBeforeStart: UInt64
  let recordsSubmission: Bool
  let recordsCompletion: Bool
  let recordsTotal: Bool
  let wantsSubmissionPercentiles: Bool
  let wantsCompletionPercentiles: Bool
  let wantsTotalPercentiles: Bool
  let refills: Bool
  let forceUnitAccess: Bool
  let flushEvery: UInt64
  let thinkTime: UInt64
  let thinkBlocks: UInt64
  let thinksAtIssue: Bool
  let maximumLatency: UInt64
  let fillsForVerify: Bool
  let checksWorkReads: Bool
  let keepsLedger: Bool
  let backlogLimit: Int
  let backlogBatch: Int
  /// Units read back at once when everything is checked at the end.
  let unitsPerRead: Int

  init(_ options: JobOptions) {
    depth = Int(options.totalDepth)
    isRated = options.isRated
    isMixed = options.pattern.includes(.read) && options.pattern.includes(.write)
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
  }
}
