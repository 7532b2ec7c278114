/// fio's `latency_target`: looks for the greatest depth at which a share of the I/Os (`latency_percentile`) takes no longer
/// than that. Each depth is tried for `latency_window`. Depths double until one fails; then the distance between the
/// greatest that did and the smallest that did not is halved. What was in flight at a greater depth than the next one ends
/// before that is tried, and does not count.
struct DepthSearch {
  enum Verdict: Equatable {
    case goOn
    /// This is the depth: one more window is what counts.
    case found
    /// That window is over.
    case ended
    /// Not even one at a time takes so short, and every one has to: looking on is in vain.
    case failed
  }

  /// What it has come to when the job's work is over.
  enum Conclusion: Equatable {
    /// The depth is found, or what was to be followed has been.
    case settled
    /// The work was over before. The latest depth that did, or the one being tried where none has had its window.
    case unfinished(depth: Int)
    /// Not one depth did.
    case failed
  }

  /// Nanoseconds.
  private let target: UInt64
  private let window: UInt64
  private let percentile: Double
  /// `latency_run`: never ends, but follows what the device can do.
  private let goesOn: Bool
  private let greatestDepth: Int

  private(set) var depth = 1
  /// The greatest depth that did, and the smallest that did not; nil while all do.
  private var low = 1
  private var high: Int?
  /// The depth of the latest window that did; nil while none has.
  private var latest: Int?
  private var hasFailed = false
  /// Windows in a row whose depth did, next to one that did not.
  private var stableCount = 0
  private var isMeasuring = false
  private var isDraining = false
  private var windowStart: UInt64 = 0
  private var operations: UInt64 = 0
  private var misses: UInt64 = 0

  /// nil without `latency_target`.
  init?(_ options: JobOptions) {
    guard options.latencyTarget > 0 else { return nil }
    target = options.latencyTarget
    window = options.latencyWindow
    percentile = options.latencyPercentile
    goesOn = options.searchesOn
    greatestDepth = Int(options.totalDepth)
  }

  /// How many I/Os may be in flight now.
  var limit: Int { isDraining ? 0 : depth }

  var conclusion: Conclusion {
    if latest == nil, hasFailed { return .failed }
    return isMeasuring || goesOn ? .settled : .unfinished(depth: latest ?? depth)
  }

  /// A window begins.
  mutating func begin(at now: UInt64) {
    windowStart = now
    operations = 0
    misses = 0
  }

  /// An I/O has ended, after so many nanoseconds.
  @inline(__always)
  mutating func record(_ total: UInt64) {
    operations &+= 1
    if total > target { misses &+= 1 }
  }

  /// To be asked again and again.
  mutating func look(_ now: UInt64, inFlight: Int) -> Verdict {
    if isDraining {
      if inFlight == 0 {
        isDraining = false
        begin(at: now)
      }
      return .goOn
    }
    if misses > 0, percentile >= 100 { return failure(now) }
    guard now &- windowStart >= window, operations > 0 else { return .goOn }
    return Double(operations - misses) * 100 >= percentile * Double(operations) ? success(now) : failure(now)
  }

  private mutating func failure(_ now: UInt64) -> Verdict {
    isMeasuring = false
    hasFailed = true
    guard depth > 1 else {
      // Where some I/Os may take longer, a window may have been bad luck: what counts is whether none ever does.
      begin(at: now)
      return percentile >= 100 ? .failed : .goOn
    }
    high = depth
    if low == depth { low -= 1 }
    depth = (depth + low) / 2
    stableCount = 0
    isDraining = true
    return .goOn
  }

  private mutating func success(_ now: UInt64) -> Verdict {
    let tried = depth
    low = depth
    latest = depth
    if let failed = high, depth + 1 == failed {
      // What has failed once may have been bad luck.
      stableCount += 1
      if stableCount == 3 {
        stableCount = 0
        high = failed + 1
      }
    }
    depth = min(high.map { (depth + $0) / 2 } ?? depth * 2, greatestDepth)
    begin(at: now)
    guard !goesOn, depth == tried else {
      isMeasuring = false
      return .goOn
    }
    defer { isMeasuring = true }
    return isMeasuring ? .ended : .found
  }
}
