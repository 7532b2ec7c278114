/// The life of one controller over all its associations, sans-I/O: events and time in, actions out.
///
/// A ``ControllerStateMachine`` is one association; this is what decides when there is to be one. It knows no clock: time
/// comes with each event, and the owner sends ``RecoveryEvent/deadline`` at ``nextDeadlineNanoseconds``. After each
/// ``handle(_:nowNanoseconds:)`` the owner takes all actions by ``nextAction()``.
///
/// Every event has a meaning in every state; `docs/recovery.md` has the table, and the tests go by the same one.
public struct RecoveryStateMachine: Sendable {
  /// What there is of an association. Kept apart from the state: a disabled controller may still be closing.
  public enum Association: String, Sendable, Hashable {
    case none
    case connecting
    case ready
    case closing
  }

  public let timers: RecoveryTimers
  public private(set) var state = RecoveryState.disabled
  public private(set) var association = Association.none
  public private(set) var ioDisposition = IODisposition.fail
  public private(set) var statistics = RecoveryStatistics()

  private let retriesFirstConnect: Bool
  private let deletionTimeoutNanoseconds: UInt64
  private var generator: SplitMix64Generator
  private var actions: [RecoveryAction] = []
  /// The controller has been enabled before: from then on a failed attempt is tried again.
  private var hasBeenEnabled = false
  /// Why the attempt that is being closed has failed; nil when the association is closed for another reason.
  private var attemptFailure: ControllerError?
  private var failedAttempts = 0
  /// The association that is being closed was lost, and not ended by our own wish.
  private var isLossToMend = false
  /// When the latest attempt that followed a loss was made; nil: none has been.
  private var lastMendNanoseconds: UInt64?
  /// Losses, one after the other, that followed so soon that there was a delay before the attempt.
  private var hastyLossCount = 0
  private var lossNanoseconds: UInt64?
  private var controllerLossNanoseconds: UInt64 = .max
  private var fastIOFailNanoseconds: UInt64 = .max
  private var nextAttemptNanoseconds: UInt64 = .max
  private var deletionNanoseconds: UInt64 = .max
  /// Why the controller goes, or has gone.
  public private(set) var deletionReason = DeletionReason.requested
  /// Why the controller is in the state failed.
  public private(set) var failure: ControllerError?

  /// - Parameters:
  ///   - retriesFirstConnect: a first connect that fails is tried again like any later one, instead of ending in
  ///     ``RecoveryState/failed``.
  ///   - deletionTimeoutMilliseconds: how long a deleted controller's association may take to close; the controller is
  ///     gone then in any case.
  ///   - seed: of the back-off's jitter.
  public init(
    timers: RecoveryTimers, retriesFirstConnect: Bool = false, deletionTimeoutMilliseconds: UInt32 = 15_000,
    seed: UInt64
  ) {
    self.timers = timers
    self.retriesFirstConnect = retriesFirstConnect
    deletionTimeoutNanoseconds = UInt64(deletionTimeoutMilliseconds) * 1_000_000
    generator = SplitMix64Generator(seed: seed)
  }

  /// When ``RecoveryEvent/deadline`` is to be sent; nil = never.
  public var nextDeadlineNanoseconds: UInt64? {
    let deadline = min(
      min(controllerLossNanoseconds, fastIOFailNanoseconds), min(nextAttemptNanoseconds, deletionNanoseconds))
    return deadline == .max ? nil : deadline
  }

  /// Nothing is under way and nothing will be until the owner wishes something.
  public var isAtRest: Bool { association == .none && nextDeadlineNanoseconds == nil }

  public mutating func nextAction() -> RecoveryAction? { actions.isEmpty ? nil : actions.removeFirst() }

  /// Why an owner's wish would have no effect now; nil when it would, or is fulfilled already.
  public func refusal(of event: RecoveryEvent) -> RecoveryRefusal? {
    switch (event, state) {
    case (.enable, .deleting), (.enable, .deleted), (.reset, .deleting), (.reset, .deleted), (.disable, .deleting),
      (.disable, .deleted):
      .deleting
    case (.reset, .disabled): .disabled
    case (.reset, .resetting): .alreadyResetting
    default: nil
    }
  }

  public mutating func handle(_ event: RecoveryEvent, nowNanoseconds now: UInt64) {
    guard state != .deleted, refusal(of: event) == nil else { return }
    switch event {
    case .enable: enable(now)
    case .reset: reset(now)
    case .disable: disable()
    case .delete: delete(.requested, now)
    case .associationReady: associationReady(now)
    case .associationLost(let error): associationLost(error, now)
    case .associationClosed: associationClosed(now)
    case .deadline: checkDeadlines(now)
    case .reactorGone: finishDeletion(.reactorGone)
    }
  }

  // MARK: Wishes

  private mutating func enable(_ now: UInt64) {
    guard state == .disabled || state == .failed else { return }
    failedAttempts = 0
    statistics.attemptsSinceLoss = 0
    move(to: .resetting)
    // Before the first association there is nothing whose loss could be timed. Of a controller that has failed after a
    // loss the clock runs already, and its I/O fails until it is back.
    if (hasBeenEnabled || retriesFirstConnect) && lossNanoseconds == nil {
      startTimers(now)
      dispose(.hold)
    }
    // One that is still closing is waited for.
    if association == .none { beginAttempt() }
  }

  private mutating func reset(_ now: UInt64) {
    statistics.resetCount += 1
    switch state {
    case .enabled:
      move(to: .resetting)
      startTimers(now)
      dispose(.hold)
      endAssociation()
    case .reconnectDelayed:
      nextAttemptNanoseconds = .max
      statistics.nextAttemptNanoseconds = nil
      move(to: .resetting)
      beginAttempt()
    case .failed:
      enable(now)
    case .resetting, .disabled, .deleting, .deleted:
      break
    }
  }

  private mutating func disable() {
    guard state != .disabled else { return }
    move(to: .disabled)
    clearTimers()
    isLossToMend = false
    attemptFailure = nil
    dispose(.fail)
    endAssociation()
  }

  private mutating func delete(_ reason: DeletionReason, _ now: UInt64) {
    guard state != .deleting else { return }
    deletionReason = reason
    clearTimers()
    dispose(.fail)
    if association == .none {
      finishDeletion(reason)
      return
    }
    move(to: .deleting)
    deletionNanoseconds = now &+ deletionTimeoutNanoseconds
    endAssociation()
  }

  private mutating func finishDeletion(_ reason: DeletionReason) {
    // What may be left of it is not waited for.
    association = .none
    clearTimers()
    dispose(.fail)
    // What was to be done before is not done any more.
    actions.removeAll { $0 == .connect || $0 == .disconnect }
    deletionReason = reason
    move(to: .deleted)
    actions.append(.deleted(reason))
  }

  // MARK: The association

  private mutating func associationReady(_ now: UInt64) {
    // One that is ready too late is closing already.
    guard association == .connecting else { return }
    association = .ready
    guard state == .resetting else { return }
    if let lossNanoseconds {
      statistics.longestOutageNanoseconds = max(statistics.longestOutageNanoseconds, now &- lossNanoseconds)
    }
    if hasBeenEnabled { statistics.reconnectCount += 1 }
    hasBeenEnabled = true
    failedAttempts = 0
    statistics.attemptsSinceLoss = 0
    statistics.lastEnabledNanoseconds = now
    clearTimers()
    move(to: .enabled)
    dispose(.submit)
  }

  private mutating func associationLost(_ error: ControllerError, _ now: UInt64) {
    switch association {
    case .none: return
    case .closing:
      // Closed by our own wish, or told twice: no news.
      return
    case .connecting:
      association = .closing
      if state == .resetting { attemptFailure = error }
    case .ready:
      association = .closing
      guard state == .enabled else { return }
      statistics.lossCount += 1
      statistics.lastLossReason = error
      statistics.lastLossNanoseconds = now
      guard timers.reconnects || timers.promptAttemptCount > 0 else {
        failure = error
        move(to: .failed)
        dispose(.fail)
        return
      }
      isLossToMend = true
      move(to: .resetting)
      startTimers(now)
      dispose(.hold)
    }
  }

  private mutating func associationClosed(_ now: UInt64) {
    guard association != .none else { return }
    if association == .connecting || association == .ready { associationLost(.disconnected, now) }
    association = .none
    switch state {
    case .resetting:
      if let error = attemptFailure {
        attemptFailure = nil
        attemptFailed(error, now)
      } else if isLossToMend {
        isLossToMend = false
        mendLoss(now)
      } else {
        beginAttempt()
      }
    case .deleting:
      finishDeletion(deletionReason)
    case .enabled, .reconnectDelayed, .failed, .disabled, .deleted:
      break
    }
  }

  /// Where controllers are not reconnected in the long run: the least time from one loss's attempt to the next one's.
  private static let promptIntervalNanoseconds: UInt64 = 1_000_000_000

  /// The first attempt after a loss is made at once, but not sooner after that of the loss before than attempts that fail are
  /// apart: a controller that is lost as soon as it has been connected must not be connected hundreds of times a second.
  private mutating func mendLoss(_ now: UInt64) {
    let interval =
      timers.reconnects ? reconnectDelayNanoseconds(failedAttempts: hastyLossCount + 1) : Self.promptIntervalNanoseconds
    guard let last = lastMendNanoseconds, now &- last < interval else {
      hastyLossCount = 0
      lastMendNanoseconds = now
      beginAttempt()
      return
    }
    hastyLossCount += 1
    delayAttempt(until: last &+ interval)
  }

  private mutating func reconnectDelayNanoseconds(failedAttempts: Int) -> UInt64 {
    timers.backOff.delayNanoseconds(
      baseMilliseconds: timers.reconnectDelayMilliseconds, failedAttempts: failedAttempts, generator: &generator)
  }

  private mutating func delayAttempt(until time: UInt64) {
    nextAttemptNanoseconds = time
    statistics.nextAttemptNanoseconds = time
    move(to: .reconnectDelayed)
  }

  private mutating func beginAttempt() {
    association = .connecting
    attemptFailure = nil
    statistics.attemptCount += 1
    statistics.attemptsSinceLoss += 1
    actions.append(.connect)
  }

  private mutating func attemptFailed(_ error: ControllerError, _ now: UInt64) {
    statistics.failedAttemptCount += 1
    statistics.lastAttemptFailure = error
    failedAttempts += 1
    let isPrompt = !timers.reconnects && failedAttempts < timers.promptAttemptCount
    guard timers.reconnects || isPrompt, hasBeenEnabled || retriesFirstConnect, !error.isPermanent else {
      // The controller loss timer goes on: whoever mends the cause may reset the controller until then.
      nextAttemptNanoseconds = .max
      fastIOFailNanoseconds = .max
      if !hasBeenEnabled { clearTimers() }
      failure = error
      move(to: .failed)
      dispose(.fail)
      return
    }
    delayAttempt(until: now &+ (isPrompt ? 1 : reconnectDelayNanoseconds(failedAttempts: failedAttempts)))
  }

  private mutating func endAssociation() {
    guard association == .connecting || association == .ready else { return }
    association = .closing
    actions.removeAll { $0 == .connect }
    actions.append(.disconnect)
  }

  // MARK: Time

  private mutating func startTimers(_ now: UInt64) {
    // A reset of a failed controller does not wind the clock back.
    guard lossNanoseconds == nil else { return }
    lossNanoseconds = now
    if timers.controllerLossTimeoutMilliseconds > 0 {
      controllerLossNanoseconds = now &+ UInt64(timers.controllerLossTimeoutMilliseconds) * 1_000_000
    }
    if timers.fastIOFailTimeoutMilliseconds > 0 {
      fastIOFailNanoseconds = now &+ UInt64(timers.fastIOFailTimeoutMilliseconds) * 1_000_000
    }
  }

  private mutating func clearTimers() {
    lossNanoseconds = nil
    controllerLossNanoseconds = .max
    fastIOFailNanoseconds = .max
    nextAttemptNanoseconds = .max
    deletionNanoseconds = .max
    statistics.nextAttemptNanoseconds = nil
  }

  private mutating func checkDeadlines(_ now: UInt64) {
    if deletionNanoseconds <= now {
      // What is left of the association retires by itself when the kernel has given everything back.
      finishDeletion(deletionReason)
      return
    }
    if controllerLossNanoseconds <= now {
      delete(.controllerLossTimeout(statistics.lastAttemptFailure ?? statistics.lastLossReason), now)
      return
    }
    if fastIOFailNanoseconds <= now {
      fastIOFailNanoseconds = .max
      statistics.fastIOFailCount += 1
      dispose(.fail)
    }
    if nextAttemptNanoseconds <= now {
      nextAttemptNanoseconds = .max
      statistics.nextAttemptNanoseconds = nil
      lastMendNanoseconds = now
      move(to: .resetting)
      beginAttempt()
    }
  }

  // MARK: Telling

  private mutating func move(to state: RecoveryState) {
    guard self.state != state else { return }
    self.state = state
    actions.append(.stateChanged(state))
  }

  private mutating func dispose(_ disposition: IODisposition) {
    guard ioDisposition != disposition else { return }
    ioDisposition = disposition
    actions.append(.ioDispositionChanged(disposition))
  }
}
