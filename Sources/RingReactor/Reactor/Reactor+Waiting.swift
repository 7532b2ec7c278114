internal import CLiburing
internal import Synchronization

/// Waiting: how a turn does it that may, and who is polled meanwhile.
extension Reactor {
  /// True while turns that wait spin first: input and output are then better had without the ring, since nobody sleeps
  /// who would have to be woken.
  public var isSpinning: Bool {
    switch state.pointee.waitPolicy {
    case .eventDriven: false
    case .busyPolling: state.pointee.foreign.epoll < 0
    case .adaptive: spinBudgetNanoseconds > 0 && state.pointee.foreign.epoll < 0
    }
  }

  /// Tells that sources wait for so many answers more, or less.
  public func expectAnswers(_ change: Int) { state.pointee.expectedAnswerCount += change }

  /// From so many answers on their way on, an adaptive reactor sleeps at once: a wake-up brings several of them, which is
  /// cheaper than a look for each.
  public static let manyAnswers = 24

  private var expectsMany: Bool { state.pointee.expectedAnswerCount >= Self.manyAnswers }

  private var spinBudgetNanoseconds: UInt64 { expectsMany ? 0 : state.pointee.spin.budgetNanoseconds }

  /// Each of these costs a system call a look: with more, being told by the ring is cheaper.
  static let maximumPolledCount = 2

  /// Asks to be polled for input instead of handing the ring a receive.
  ///
  /// - Returns: false when the reactor does not spin, or polls enough sources already: use the ring. Otherwise
  ///   ``ReactorSource/poll()`` is called until ``stopPolling(_:)``, or until the reactor goes to sleep and says so by
  ///   ``ReactorSource/pollingEnded()``.
  public func startPolling(_ source: ReactorSource) -> Bool {
    guard isSpinning, state.pointee.polled.count < Self.maximumPolledCount, !state.pointee.isShuttingDown else {
      return false
    }
    assert(!state.pointee.polled.contains(source.identifier))
    state.pointee.polled.append(source.identifier)
    return true
  }

  /// Takes the source off the list of the polled; ``ReactorSource/pollingEnded()`` is not called.
  public func stopPolling(_ source: ReactorSource) {
    state.pointee.polled.removeAll { $0 == source.identifier }
  }

  /// Looks once at everything that is polled. Returns true when there was some input.
  private func pollSources() -> Bool {
    var found = false
    var position = 0
    // The list may change under the calls: a source may go, and others come.
    while position < state.pointee.polled.count {
      let identifier = state.pointee.polled[position]
      position += 1
      guard isLive(identifier) else { continue }
      let source = state.pointee.slots[Int(identifier.index)].source
      if source?._withUnsafeGuaranteedRef({ $0.poll() }) == true { found = true }
    }
    return found
  }

  func endPolling() {
    while let identifier = state.pointee.polled.popLast() {
      guard isLive(identifier) else { continue }
      state.pointee.slots[Int(identifier.index)].source?._withUnsafeGuaranteedRef { $0.pollingEnded() }
    }
  }

  func enter(_ wait: WaitMode) {
    var limit: UInt64? = nil
    switch wait {
    case .none:
      limit = 0
    case .forever:
      break
    case .atMost(let nanoseconds):
      limit = nanoseconds
    }
    if hasPendingWork { limit = 0 }
    // What is found here makes work: that is not to be slept upon.
    if !state.pointee.polled.isEmpty && pollSources() { limit = 0 }
    if limit != 0, let deadline = nextDeadline() {
      let now = readClock()
      limit = min(limit ?? .max, deadline > now ? deadline - now : 0)
    }
    if limit == 0 {
      // Nothing to hand over and nothing to fetch: spare the system call, so that spinning is spinning on memory.
      if ring.unsubmittedCount == 0 && !ring.hasCompletions { return }
      _ = ring.submitAndCollect()
    } else if ring.unsubmittedCount == 0 && ring.hasCompletions {
      _ = ring.submitAndCollect()
    } else {
      submitAndWait(limit)
    }
  }

  /// Hands over what is prepared and waits as the policy says, at most `limit` nanoseconds; nil is for ever.
  ///
  /// A wait that ends without an event (time over, EINTR) is as good as a turn without one: the caller comes again.
  private func submitAndWait(_ limit: UInt64?) {
    let policy = state.pointee.waitPolicy
    guard policy == .busyPolling || policy == .adaptive && !expectsMany else {
      endPolling()
      _ = ring.submitAndWait(timeoutNanoseconds: limit)
      return
    }
    let budget = policy == .busyPolling ? .max : spinBudgetNanoseconds
    let start = MonotonicClock.nanoseconds()
    if budget > 0 {
      if ring.unsubmittedCount > 0 {
        _ = ring.submitAndCollect()
        if ring.hasCompletions { return }
      }
      if spin(untilNanoseconds: start &+ min(budget, limit ?? .max, .max &- start)) {
        if ring.hasCompletions { _ = ring.submitAndCollect() }
        state.pointee.spin.found()
        return
      }
      if policy == .busyPolling { return }
    }
    let left = limit.map { $0 > budget ? $0 - budget : 0 }
    if left == 0 { return }
    endPolling()
    _ = ring.submitAndWait(timeoutNanoseconds: left)
    state.pointee.spin.slept(untilNanoseconds: MonotonicClock.nanoseconds() &- start)
  }

  /// Looks for input without sleeping: at what is polled, at the ring and at the mailbox.
  ///
  /// - Returns: whether something came; false when the time was over first.
  private func spin(untilNanoseconds end: UInt64) -> Bool {
    // A look at a socket is a system call: some of them take as long as many at memory.
    let polledCount = state.pointee.polled.count
    let looksPerClockReading = polledCount == 0 ? 8 : max(1, 4 / polledCount)
    while true {
      for _ in 0..<looksPerClockReading {
        if polledCount > 0 {
          if pollSources() { return true }
        } else {
          nvmeof_pause()
        }
        if ring.hasCompletions || handle.isSignalled.load(ordering: .relaxed) { return true }
      }
      if MonotonicClock.nanoseconds() >= end { return false }
    }
  }
}
