internal import NVMeHost
package import NVMeProtocol

/// Everything a multipath channel decides, sans-I/O: which path takes a request, whether one that failed is sent again,
/// where and when, and what is held for how long. Requests are numbers; whoever owns the engine keeps what they stand for.
///
/// One engine belongs to one channel, hence to one thread. Its tables are allocated with it. After each change of a path
/// and at each ``nextDeadlineNanoseconds`` the owner calls ``beginRelease()`` and then ``nextReleased(nowNanoseconds:)``
/// until it gives nothing more.
package struct MultipathEngine: ~Copyable {
  package struct Configuration: Sendable, Hashable {
    package var policy = MultipathPolicy.activePassive
    /// How often a request is sent again for a status that is its own; failures of paths do not count. -1 = no limit.
    package var retryLimit = 5
    package var unknownWrites = UnknownWritePolicy.waitUntilOldPathIsQuiesced

    package init() {}
  }

  private struct Request {
    var isModifying = false
    var isHeld = false
    /// A controller was sent it, and it may have been carried out, in part at least: the path has been lost since, or one
    /// of the commands that it took has failed.
    var mayBeCarriedOut = false
    var retryCount: UInt16 = 0
    /// Paths that could not carry it out, one after the other.
    var pathFailureCount: UInt16 = 0
    /// The path it is on, or was on last; -1 = none yet.
    var path: Int16 = -1
    /// The path's association that it was submitted in.
    var association: UInt64 = 0
    /// How long that one's controller may still execute it when it is lost; `.max` = for ever. What is in the path's place by
    /// then may be another controller.
    var quiesceNanoseconds: UInt64 = .max
    /// The path that could not carry it out; -1 = none. It goes elsewhere if it can.
    var avoidedPath: Int16 = -1
    var lastStatus = StatusField.hostPathingError
    var lastOutcome = BlockOutcome.notSent
    /// Not to be sent before this time: a retry delay.
    var notBeforeNanoseconds: UInt64 = 0
    /// Not to be sent before this time: the old path may still execute it. `.max` = never.
    var fenceNanoseconds: UInt64 = 0
    var fenceAssociation: UInt64 = 0
    var submittedNanoseconds: UInt64 = 0
    /// When it first failed or was held; 0 = not yet.
    var disturbedNanoseconds: UInt64 = 0
  }

  private struct Path {
    /// As the controller's side last told it.
    var told = PathAvailability.unavailable(.deleted)
    var association: UInt64 = 0
    /// The association in which the path was found lost.
    var lostAssociation: UInt64 = 0
    /// The last association that has been shown to execute nothing any more.
    var quiescedAssociation: UInt64 = 0
    /// A status says that the ANA log is out of date.
    var isAccessStale = false
    var isOnProbation = false
    var isPresent = false
    var quiesceNanoseconds: UInt64 = .max
    var commandRetryDelayTimes: [UInt16] = []
  }

  package private(set) var selector: PathSelector
  package private(set) var statistics = MultipathStatistics()
  /// Paths whose ANA log is to be read anew, as a bit mask; the owner clears it.
  package var pathsWantingAccessRefresh: UInt32 = 0
  private let configuration: Configuration
  private let requests: UnsafeMutablePointer<Request>
  private let paths: UnsafeMutablePointer<Path>
  private let capacity: Int
  private var held: IndexQueue
  private var releaseCount = 0
  private var deadlineNanoseconds: UInt64 = .max

  /// How long a request waits that only one path could take, which has just refused it, or that path after path has.
  package static let pathErrorDelayNanoseconds: UInt64 = 100_000_000
  /// So many paths are tried without a pause.
  private static let promptPathCount = 4

  /// - Parameter capacity: requests under way at once, 1...65535.
  package init(configuration: Configuration, capacity: Int) {
    self.configuration = configuration
    self.capacity = capacity
    selector = PathSelector(policy: configuration.policy)
    requests = .allocate(capacity: capacity)
    requests.initialize(repeating: Request(), count: capacity)
    paths = .allocate(capacity: PathSelector.maximumPathCount)
    paths.initialize(repeating: Path(), count: PathSelector.maximumPathCount)
    held = IndexQueue(capacity: capacity)
  }

  deinit {
    requests.deallocate()
    paths.deinitialize(count: PathSelector.maximumPathCount)
    paths.deallocate()
  }

  /// When held requests are to be looked at again; nil = when a path changes.
  package var nextDeadlineNanoseconds: UInt64? { deadlineNanoseconds == .max ? nil : deadlineNanoseconds }

  package var heldCount: Int { held.count }

  // MARK: Each request

  /// A new request.
  ///
  /// - Parameter index: its number, not in use, below the capacity.
  package mutating func admit(_ index: Int, isModifying: Bool, nowNanoseconds now: UInt64) -> MultipathDecision {
    let request = requests + index
    request.pointee = Request()
    request.pointee.isModifying = isModifying
    let path = selector.select()
    if path >= 0 { return submit(index, path, now) }
    return wait(index, now)
  }

  /// A request has ended on its path.
  package mutating func completed(
    _ index: Int, outcome: BlockOutcome, status: StatusField, nowNanoseconds now: UInt64
  ) -> MultipathDecision {
    let request = requests + index
    let path = Int(request.pointee.path)
    selector.ended(path)
    if outcome == .success {
      if selector.measuresLatency {
        selector.measured(path, nanoseconds: now &- request.pointee.submittedNanoseconds)
      }
      if request.pointee.disturbedNanoseconds != 0 { noteStall(index, now) }
      return .finish
    }
    return failed(index, path, outcome, status, now)
  }

  private mutating func submit(_ index: Int, _ path: Int, _ now: UInt64) -> MultipathDecision {
    let request = requests + index
    request.pointee.path = Int16(path)
    request.pointee.association = paths[path].association
    request.pointee.quiesceNanoseconds = paths[path].quiesceNanoseconds
    request.pointee.submittedNanoseconds = now
    selector.began(path)
    return .submit(path: path)
  }

  // MARK: Failures

  // Not inlined: what is rare has no place on the way of an I/O.
  @inline(never) private mutating func failed(
    _ index: Int, _ path: Int, _ outcome: BlockOutcome, _ status: StatusField, _ now: UInt64
  ) -> MultipathDecision {
    let request = requests + index
    disturb(index, now)
    request.pointee.lastOutcome = outcome
    request.pointee.lastStatus = status
    if outcome != .notSent && request.pointee.isModifying { request.pointee.mayBeCarriedOut = true }
    switch outcome {
    case .success, .compareMismatch, .systemError:
      return end(index, now)
    case .dataDigestError, .shortData:
      return retryHere(index, path, delayNanoseconds: 0, now)
    case .deviceError:
      // An answer: the controller is done with the request, so that nothing of it can come later.
      switch StatusClassification.disposition(of: status) {
      case .fail: return end(index, now)
      case .retryHere:
        let milliseconds = StatusClassification.retryDelayMilliseconds(
          of: status, commandRetryDelayTimes: paths[path].commandRetryDelayTimes)
        return retryHere(index, path, delayNanoseconds: UInt64(milliseconds) * 1_000_000, now)
      case .retryOnAnotherPath: return retryElsewhere(index, path, status, now)
      }
    case .notSent:
      lose(path, request.pointee.association)
      return dispatch(index, now)
    case .connectionLost:
      lose(path, request.pointee.association)
      if request.pointee.isModifying { fence(index, path, now) }
      return dispatch(index, now)
    }
  }

  private mutating func retryHere(
    _ index: Int, _ path: Int, delayNanoseconds: UInt64, _ now: UInt64
  ) -> MultipathDecision {
    let request = requests + index
    if configuration.retryLimit >= 0 && Int(request.pointee.retryCount) >= configuration.retryLimit {
      return end(index, now)
    }
    if request.pointee.retryCount < .max { request.pointee.retryCount += 1 }
    statistics.retryCount += 1
    if delayNanoseconds > 0 {
      request.pointee.notBeforeNanoseconds = now &+ delayNanoseconds
      return hold(index)
    }
    let isTrusted = selector.availability(of: path).isUsable && !paths[path].isOnProbation
    return isTrusted ? submit(index, path, now) : dispatch(index, now)
  }

  private mutating func retryElsewhere(
    _ index: Int, _ path: Int, _ status: StatusField, _ now: UInt64
  ) -> MultipathDecision {
    let request = requests + index
    request.pointee.avoidedPath = Int16(path)
    let isAboutAccess =
      status.matches(.asymmetricAccessInaccessible) || status.matches(.asymmetricAccessTransition)
      || status.matches(.asymmetricAccessPersistentLoss)
    if isAboutAccess && paths[path].isPresent && !paths[path].isAccessStale {
      // What the controller says of itself is newer than the ANA log: the path is not used until that has been read anew.
      paths[path].isAccessStale = true
      pathsWantingAccessRefresh |= 1 << UInt32(path)
      apply(path)
    }
    if request.pointee.pathFailureCount < .max { request.pointee.pathFailureCount += 1 }
    if selector.selectOther(than: path) < 0 || Int(request.pointee.pathFailureCount) >= Self.promptPathCount {
      // Paths are not asked again and again without a pause.
      request.pointee.notBeforeNanoseconds = now &+ Self.pathErrorDelayNanoseconds
    }
    return dispatch(index, now)
  }

  /// A modifying request is lost with its path: unless the policy says otherwise, it waits until the old path cannot
  /// execute it any more.
  private mutating func fence(_ index: Int, _ path: Int, _ now: UInt64) {
    let request = requests + index
    // Each association has a number of its own, so that a path that takes another one's place is not mistaken for it.
    request.pointee.fenceAssociation = request.pointee.association
    if paths[path].isPresent && paths[path].quiescedAssociation == request.pointee.association { return }
    switch configuration.unknownWrites {
    case .resendAtOnceRiskingCorruption:
      statistics.unfencedResendCount += 1
    case .waitUntilOldPathIsQuiesced:
      statistics.fenceCount += 1
      // A fence that stands already, from an earlier path, stands as long as it would have.
      let (sum, isEndless) = now.addingReportingOverflow(request.pointee.quiesceNanoseconds)
      let end = isEndless ? .max : sum
      request.pointee.fenceNanoseconds = max(request.pointee.fenceNanoseconds, end)
    }
  }

  /// Sends a request that is with no path, or holds it, or gives it up.
  private mutating func dispatch(_ index: Int, _ now: UInt64) -> MultipathDecision {
    let request = requests + index
    if request.pointee.fenceNanoseconds == .max { return end(index, now) }
    // What has passed is no deadline any more.
    if request.pointee.fenceNanoseconds <= now { request.pointee.fenceNanoseconds = 0 }
    if request.pointee.notBeforeNanoseconds <= now { request.pointee.notBeforeNanoseconds = 0 }
    if request.pointee.fenceNanoseconds > now || request.pointee.notBeforeNanoseconds > now {
      return selector.mayBecomeUsable || selector.hasUsablePath ? hold(index) : end(index, now)
    }
    var path = selector.select()
    if path >= 0, path == Int(request.pointee.avoidedPath) {
      let other = selector.selectOther(than: path)
      if other >= 0 { path = other }
    }
    guard path >= 0 else { return wait(index, now) }
    if request.pointee.path >= 0 && Int(request.pointee.path) != path { statistics.failoverCount += 1 }
    request.pointee.avoidedPath = -1
    return submit(index, path, now)
  }

  /// There is no usable path.
  private mutating func wait(_ index: Int, _ now: UInt64) -> MultipathDecision {
    if selector.mayBecomeUsable {
      disturb(index, now)
      return hold(index)
    }
    return end(index, now)
  }

  private mutating func hold(_ index: Int) -> MultipathDecision {
    let request = requests + index
    if !request.pointee.isHeld {
      request.pointee.isHeld = true
      statistics.holdCount += 1
    }
    held.append(UInt16(index))
    statistics.heldCount = UInt64(held.count)
    let time = max(request.pointee.fenceNanoseconds, request.pointee.notBeforeNanoseconds)
    // Without a time of its own it waits for a path.
    if time > 0 { deadlineNanoseconds = min(deadlineNanoseconds, time) }
    return .hold
  }

  /// The request is given up; what is reported tells whether it may have been carried out.
  private mutating func end(_ index: Int, _ now: UInt64) -> MultipathDecision {
    let request = requests + index
    statistics.failureCount += 1
    if request.pointee.disturbedNanoseconds != 0 { noteStall(index, now) }
    let outcome = request.pointee.lastOutcome
    // That it has not been sent the last time says nothing of the times before.
    if request.pointee.mayBeCarriedOut && outcome == .notSent { return .fail(.connectionLost, .hostPathingError) }
    return .fail(outcome, request.pointee.lastStatus)
  }

  private mutating func disturb(_ index: Int, _ now: UInt64) {
    if requests[index].disturbedNanoseconds == 0 { requests[index].disturbedNanoseconds = now }
  }

  private mutating func noteStall(_ index: Int, _ now: UInt64) {
    statistics.longestStallNanoseconds = max(
      statistics.longestStallNanoseconds, now &- requests[index].disturbedNanoseconds)
  }

  // MARK: Held requests

  /// Begins to go through what is held, first come first served.
  package mutating func beginRelease() {
    releaseCount = held.count
    deadlineNanoseconds = .max
  }

  /// The next held request that is to be sent or given up now; nil when there is none.
  package mutating func nextReleased(nowNanoseconds now: UInt64) -> (index: Int, decision: MultipathDecision)? {
    while releaseCount > 0, let next = held.popFirst() {
      releaseCount -= 1
      let index = Int(next)
      let decision = dispatch(index, now)
      if decision == .hold { continue }
      requests[index].isHeld = false
      statistics.heldCount = UInt64(held.count)
      return (index, decision)
    }
    return nil
  }

  // MARK: Paths

  /// News of a path; one that was not there is there now.
  package mutating func update(_ path: Int, _ update: MultipathPathUpdate) {
    let isNew = !paths[path].isPresent
    if isNew {
      paths[path] = Path()
      paths[path].isPresent = true
    }
    paths[path].told = update.availability
    paths[path].isOnProbation = update.isOnProbation
    paths[path].association = max(paths[path].association, update.association)
    paths[path].quiesceNanoseconds = update.quiesceNanoseconds ?? .max
    paths[path].commandRetryDelayTimes = update.commandRetryDelayTimes
    paths[path].isAccessStale = false
    apply(path)
  }

  /// The path is not used any more. What is outstanding on it still ends.
  package mutating func remove(_ path: Int) {
    paths[path].isPresent = false
    pathsWantingAccessRefresh &= ~(1 << UInt32(path))
    selector.remove(path)
  }

  /// The controller has shown that nothing of an association is executed any more: the fences of its requests fall.
  package mutating func quiesced(_ path: Int, association: UInt64) {
    if paths[path].isPresent { paths[path].quiescedAssociation = association }
    for index in 0..<capacity where requests[index].isHeld && Int(requests[index].path) == path {
      if requests[index].fenceAssociation == association { requests[index].fenceNanoseconds = 0 }
    }
  }

  package mutating func setPreferred(_ path: Int?) { selector.setPreferred(path) }
  package mutating func setLocal(_ isLocal: Bool, _ path: Int) { selector.setLocal(isLocal, path) }
  package mutating func take(_ policy: MultipathPolicy) { selector.take(policy) }

  /// A path was found lost before its controller's side has told so. What ends late, of an association before the present
  /// one or of a path that was in this one's place, says nothing about it.
  private mutating func lose(_ path: Int, _ association: UInt64) {
    guard paths[path].isPresent, paths[path].association == association, paths[path].lostAssociation < association
    else { return }
    paths[path].lostAssociation = paths[path].association
    statistics.pathLossCount += 1
    apply(path)
  }

  private mutating func apply(_ path: Int) {
    var availability = paths[path].told
    if availability.isUsable {
      if paths[path].association <= paths[path].lostAssociation {
        availability = .unavailable(.lost)
      } else if paths[path].isAccessStale {
        availability = .unavailable(.asymmetricAccessChanging)
      }
    }
    selector.setAvailability(availability, isOnProbation: paths[path].isOnProbation, of: path)
  }
}
