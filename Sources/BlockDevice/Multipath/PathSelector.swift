/// Chooses the path of the next request, sans-I/O. One belongs to one channel, hence to one thread.
///
/// Everything that can be decided when a path changes is decided then; ``select()`` looks only at what changes with each
/// request. It allocates nothing and costs a few nanoseconds.
package struct PathSelector: ~Copyable {
  /// Most paths of one device.
  package static let maximumPathCount = 32

  private struct Path {
    var availability = PathAvailability.unavailable(.deleted)
    var isPresent = false
    var isPreferred = false
    var isOnProbation = false
    var isLocal = true
    var outstandingCount: UInt32 = 0
    /// Smoothed time of a request in nanoseconds; 0 = none has ended yet.
    var latencyNanoseconds: UInt64 = 0
  }

  private enum Mode {
    case fixed
    case roundRobin
    case queueDepth
    case latency
  }

  private let paths: UnsafeMutablePointer<Path>
  /// The paths requests are spread over, in the order of their places.
  private let candidates: UnsafeMutablePointer<UInt8>
  private var candidateCount = 0
  private var mode = Mode.fixed
  private var minimumIO: UInt32 = 1
  /// Active/passive: the path in use. -1 = none.
  private var current = -1
  private var currentRank = Rank.unusable
  private var cursor = 0
  private var remaining: UInt32 = 0
  private var probeCountdown: UInt32 = 0
  private var probeCursor = 0
  package private(set) var hasUsablePath = false
  /// No path is usable, but one may become so.
  package private(set) var mayBecomeUsable = false
  package private(set) var policy: MultipathPolicy

  /// Of so many requests one goes to another path than the fastest: what is never used is never measured.
  private static let probeInterval: UInt32 = 256
  /// The smoothed latency moves by a quarter of the difference with each request.
  private static let latencyShift: UInt64 = 2

  package init(policy: MultipathPolicy) {
    self.policy = policy
    paths = .allocate(capacity: Self.maximumPathCount)
    paths.initialize(repeating: Path(), count: Self.maximumPathCount)
    candidates = .allocate(capacity: Self.maximumPathCount)
    candidates.initialize(repeating: 0, count: Self.maximumPathCount)
    take(policy)
  }

  deinit {
    paths.deinitialize(count: Self.maximumPathCount)
    paths.deallocate()
    candidates.deallocate()
  }

  // MARK: Each request

  /// The path for the next request; -1 when none is usable.
  package mutating func select() -> Int {
    switch mode {
    case .fixed: return current
    case .roundRobin:
      if remaining == 0 {
        if candidateCount == 0 { return -1 }
        cursor = cursor &+ 1 < candidateCount ? cursor &+ 1 : 0
        remaining = minimumIO
      }
      remaining &-= 1
      return Int(candidates[cursor])
    case .queueDepth: return shortest()
    case .latency: return fastest()
    }
  }

  /// A request has been given to a path.
  package mutating func began(_ path: Int) { paths[path].outstandingCount &+= 1 }

  /// A request has ended on a path, well or badly.
  package mutating func ended(_ path: Int) { paths[path].outstandingCount &-= 1 }

  /// Whether ``measured(_:nanoseconds:)`` is of any use.
  package var measuresLatency: Bool { mode == .latency }

  /// How long a request took that ended well.
  package mutating func measured(_ path: Int, nanoseconds: UInt64) {
    let sample = max(nanoseconds, 1)
    let old = paths[path].latencyNanoseconds
    if old == 0 {
      paths[path].latencyNanoseconds = sample
    } else if sample >= old {
      paths[path].latencyNanoseconds = old &+ (sample &- old) >> Self.latencyShift
    } else {
      paths[path].latencyNanoseconds = max(1, old &- (old &- sample) >> Self.latencyShift)
    }
  }

  private mutating func shortest() -> Int {
    // The search begins one further each time, so that equals take turns.
    cursor = cursor &+ 1 < candidateCount ? cursor &+ 1 : 0
    var best = -1
    var bestCount = UInt32.max
    for offset in 0..<candidateCount {
      let place = cursor &+ offset < candidateCount ? cursor &+ offset : cursor &+ offset &- candidateCount
      let path = Int(candidates[place])
      let count = paths[path].outstandingCount
      if count < bestCount {
        best = path
        bestCount = count
      }
    }
    return best
  }

  private mutating func fastest() -> Int {
    probeCountdown &-= 1
    if probeCountdown == 0 {
      probeCountdown = Self.probeInterval
      probeCursor = probeCursor &+ 1 < candidateCount ? probeCursor &+ 1 : 0
      return candidateCount > 0 ? Int(candidates[probeCursor]) : -1
    }
    cursor = cursor &+ 1 < candidateCount ? cursor &+ 1 : 0
    var best = -1
    var bestCost = UInt64.max
    for offset in 0..<candidateCount {
      let place = cursor &+ offset < candidateCount ? cursor &+ offset : cursor &+ offset &- candidateCount
      let path = Int(candidates[place])
      // A path without a measurement costs nothing but what is outstanding: it is measured first.
      let cost = paths[path].latencyNanoseconds &* UInt64(paths[path].outstandingCount &+ 1)
      if cost < bestCost {
        best = path
        bestCost = cost
      }
    }
    return best
  }

  // MARK: Each change

  /// Another path for a request that `path` could not carry out: the best one that is usable; -1 when there is none.
  package func selectOther(than path: Int) -> Int {
    var best = -1
    var bestRank = Rank.unusable
    for index in 0..<Self.maximumPathCount where index != path {
      let rank = rank(index)
      if rank < bestRank || (rank == bestRank && rank != .unusable && isLessBusy(index, best)) {
        best = index
        bestRank = rank
      }
    }
    return best
  }

  private func isLessBusy(_ path: Int, _ other: Int) -> Bool {
    paths[path].outstandingCount < paths[other].outstandingCount
  }

  /// - Parameter isOnProbation: it is used where there is no other path.
  package mutating func setAvailability(_ availability: PathAvailability, isOnProbation: Bool = false, of path: Int) {
    let known = paths[path]
    if known.isPresent && known.availability == availability && known.isOnProbation == isOnProbation { return }
    paths[path].availability = availability
    paths[path].isOnProbation = isOnProbation
    paths[path].isPresent = true
    rebuild()
  }

  package mutating func remove(_ path: Int) {
    let outstanding = paths[path].outstandingCount
    paths[path] = Path()
    paths[path].outstandingCount = outstanding
    rebuild()
  }

  /// Whether a path's adapter is on this thread's NUMA node.
  package mutating func setLocal(_ isLocal: Bool, _ path: Int) {
    paths[path].isLocal = isLocal
    rebuild()
  }

  /// The path that is used first where several are equally accessible; nil for none. An active/passive device goes to it at
  /// once, automatic failback or not: this is a wish.
  package mutating func setPreferred(_ path: Int?) {
    for index in 0..<Self.maximumPathCount { paths[index].isPreferred = index == path }
    current = -1
    rebuild()
  }

  package mutating func take(_ policy: MultipathPolicy) {
    self.policy = policy
    switch policy.spread {
    case .activePassive: mode = .fixed
    case .activeActive(.roundRobin(let minimumIO)):
      mode = .roundRobin
      self.minimumIO = minimumIO
    case .activeActive(.queueDepth): mode = .queueDepth
    case .activeActive(.latency): mode = .latency
    }
    probeCountdown = Self.probeInterval
    current = -1
    rebuild()
  }

  package func availability(of path: Int) -> PathAvailability { paths[path].availability }
  package func outstandingCount(of path: Int) -> Int { Int(paths[path].outstandingCount) }

  /// Whether requests go this path now.
  package func isCurrent(_ path: Int) -> Bool {
    if mode == .fixed { return current == path }
    for place in 0..<candidateCount where Int(candidates[place]) == path { return true }
    return false
  }

  private enum Rank: UInt8, Comparable {
    case optimized
    case nonOptimized
    case optimizedOnProbation
    case nonOptimizedOnProbation
    case unusable
    static func < (a: Self, b: Self) -> Bool { a.rawValue < b.rawValue }
    var isOnProbation: Bool { self == .optimizedOnProbation || self == .nonOptimizedOnProbation }
  }

  private func rank(_ path: Int) -> Rank {
    guard paths[path].isPresent else { return .unusable }
    switch paths[path].availability {
    case .optimized: return paths[path].isOnProbation ? .optimizedOnProbation : .optimized
    case .nonOptimized: return paths[path].isOnProbation ? .nonOptimizedOnProbation : .nonOptimized
    case .unavailable: return .unusable
    }
  }

  private mutating func rebuild() {
    var best = Rank.unusable
    mayBecomeUsable = false
    for path in 0..<Self.maximumPathCount where paths[path].isPresent {
      best = min(best, rank(path))
      if paths[path].availability.mayBecomeUsable { mayBecomeUsable = true }
    }
    hasUsablePath = best != .unusable
    candidateCount = 0
    guard hasUsablePath else {
      current = -1
      currentRank = .unusable
      cursor = 0
      remaining = 0
      return
    }
    var hasLocal = false
    for path in 0..<Self.maximumPathCount where rank(path) == best && paths[path].isLocal { hasLocal = true }
    for path in 0..<Self.maximumPathCount where rank(path) == best {
      if policy.prefersLocalNUMANode && hasLocal && !paths[path].isLocal { continue }
      candidates[candidateCount] = UInt8(path)
      candidateCount += 1
    }
    if cursor >= candidateCount { cursor = 0 }
    remaining = 0
    chooseCurrent(best)
  }

  private mutating func chooseCurrent(_ best: Rank) {
    var choice = Int(candidates[0])
    for place in 0..<candidateCount where paths[Int(candidates[place])].isPreferred { choice = Int(candidates[place]) }
    if current >= 0, rank(current) != .unusable {
      // The one in use stays: where it is as good as the choice and nothing is preferred; and without automatic failback
      // as long as it has not become worse; but never one on probation where there is another.
      let isAsGood = rank(current) == best && !paths[choice].isPreferred && isCandidate(current)
      let isTrusted = !rank(current).isOnProbation || best.isOnProbation
      let stays = !policy.failsBackAutomatically && rank(current) <= currentRank && isTrusted
      if isAsGood || stays { choice = current }
    }
    current = choice
    currentRank = rank(choice)
  }

  private func isCandidate(_ path: Int) -> Bool {
    for place in 0..<candidateCount where Int(candidates[place]) == path { return true }
    return false
  }
}
