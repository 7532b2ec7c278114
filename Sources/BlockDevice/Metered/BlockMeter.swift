internal import RingReactor
internal import Synchronization

/// What one channel has counted: written by the channel's thread alone, read by any.
///
/// Every number is a word of its own, written and read whole; a reader may see a request in one of them and not yet in
/// the next. Failures are rare and go by a lock.
final class BlockMeter: Sendable {
  /// Words of one operation: a cache line.
  private enum Word {
    static let count = 0
    static let byteCount = 1
    static let latencySum = 2
    static let minimum = 3
    static let maximum = 4
    static let stride = 8
  }

  private static let operationCount = BlockOperation.allCases.count
  /// Behind the operations: words of the channel.
  private static let outstandingWord = operationCount * Word.stride
  private static let heldWord = outstandingWord + 1
  private static let extremesEpochWord = outstandingWord + 2
  private static let wordCount = outstandingWord + Word.stride

  private struct Rare {
    var failures: [BlockStatistics.Failure: UInt64] = [:]
    /// What had been counted at the latest reset.
    var baseline = BlockStatistics()
  }

  /// The reactor of the channel.
  let reactor: ReactorHandle
  private nonisolated(unsafe) let words: UnsafeMutablePointer<Atomic<UInt64>>
  private let rare = Mutex(Rare())

  init(reactor: ReactorHandle) {
    self.reactor = reactor
    words = .allocate(capacity: Self.wordCount)
    for index in 0..<Self.wordCount { (words + index).initialize(to: Atomic(0)) }
  }

  deinit {
    words.deinitialize(count: Self.wordCount)
    words.deallocate()
  }

  @inline(__always)
  private func load(_ word: Int) -> UInt64 { words[word].load(ordering: .relaxed) }

  // One thread writes: a load and a store do, which costs no locked instruction.
  @inline(__always)
  private func store(_ word: Int, _ value: UInt64) { words[word].store(value, ordering: .relaxed) }

  // MARK: The channel's thread

  @inline(__always)
  func setOutstanding(_ count: Int) { store(Self.outstandingWord, UInt64(count)) }

  func countHeld() { store(Self.heldWord, load(Self.heldWord) &+ 1) }

  /// A request has ended well.
  ///
  /// - Parameter epoch: changes when the extremes are to start anew.
  @inline(__always)
  func count(_ operation: BlockOperation, byteCount: UInt64, latencyNanoseconds: UInt64, epoch: UInt64) {
    if load(Self.extremesEpochWord) != epoch { beginEpoch(epoch) }
    let base = Int(operation.rawValue) &* Word.stride
    let count = load(base &+ Word.count)
    store(base &+ Word.count, count &+ 1)
    store(base &+ Word.byteCount, load(base &+ Word.byteCount) &+ byteCount)
    store(base &+ Word.latencySum, load(base &+ Word.latencySum) &+ latencyNanoseconds)
    // Kept as the complement, so that zero is "none yet" and the larger complement the smaller latency.
    if ~latencyNanoseconds > load(base &+ Word.minimum) { store(base &+ Word.minimum, ~latencyNanoseconds) }
    if latencyNanoseconds > load(base &+ Word.maximum) { store(base &+ Word.maximum, latencyNanoseconds) }
  }

  @inline(never) private func beginEpoch(_ epoch: UInt64) {
    for operation in 0..<Self.operationCount {
      store(operation * Word.stride + Word.minimum, 0)
      store(operation * Word.stride + Word.maximum, 0)
    }
    store(Self.extremesEpochWord, epoch)
  }

  @inline(never) func count(_ failure: BlockStatistics.Failure) {
    rare.withLock { $0.failures[failure, default: 0] += 1 }
  }

  // MARK: Any thread

  /// What has been counted since the latest reset.
  func read(epoch: UInt64) -> BlockStatistics {
    let (failures, baseline) = rare.withLock { ($0.failures, $0.baseline) }
    var statistics = raw(epoch: epoch)
    for operation in BlockOperation.allCases { statistics[operation].subtract(baseline[operation]) }
    statistics.heldCount &-= baseline.heldCount
    statistics.failures = failures
    return statistics
  }

  private func raw(epoch: UInt64) -> BlockStatistics {
    var statistics = BlockStatistics()
    let extremesAreOld = load(Self.extremesEpochWord) != epoch
    for operation in BlockOperation.allCases {
      let base = Int(operation.rawValue) * Word.stride
      var entry = BlockStatistics.Operation()
      entry.count = load(base + Word.count)
      entry.byteCount = load(base + Word.byteCount)
      entry.latencySumNanoseconds = load(base + Word.latencySum)
      let minimum = load(base + Word.minimum)
      if !extremesAreOld && minimum != 0 {
        entry.minimumLatencyNanoseconds = ~minimum
        entry.maximumLatencyNanoseconds = load(base + Word.maximum)
      }
      statistics[operation] = entry
    }
    statistics.outstandingCount = load(Self.outstandingWord)
    statistics.heldCount = load(Self.heldWord)
    return statistics
  }

  func resetCounts() {
    let now = raw(epoch: .max)
    rare.withLock { $0.baseline = now }
  }

  func resetFailures() { rare.withLock { $0.failures = [:] } }
}
