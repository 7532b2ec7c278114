internal import CLiburing
import Glibc
internal import HeapModule
internal import Synchronization

/// One thread, one ring: an event loop that sources (sockets, controllers, channels) live on.
///
/// A reactor belongs to the thread that made it. Either that thread calls ``turn(_:)`` in a loop of its own, or
/// ``ReactorThread`` does, or a foreign event loop watches ``pollableFileDescriptor()`` and calls ``turnFromEventLoop()``
/// whenever it is readable. Other threads reach it through ``handle`` alone.
///
/// A turn: sources with output prepare ring entries; one system call submits them and collects completions; these are
/// handed to their sources; then come mailbox, deadlines, and the sources that asked to run. No source is called from
/// within another's call by the reactor, so there is no recursion to bound.
public final class Reactor {
  /// What other threads may use.
  public let handle: ReactorHandle

  private let ring: Ring
  /// In a simulation: what takes the operating system's place.
  let kernel: (any SimulatedKernel)?
  private let state: UnsafeMutablePointer<State>

  /// What a foreign event loop watches; -1 until one has asked for it.
  private struct ForeignDescriptors {
    var event: Int32 = -1
    var epoll: Int32 = -1
  }

  private struct Slot {
    var source: Unmanaged<ReactorSource>?
    var generation: UInt16
    var isDirty = false
    var isReady = false
    var deadlineNanoseconds: UInt64 = .max
  }

  private struct TimerEntry: Comparable {
    var deadlineNanoseconds: UInt64
    var identifier: SourceIdentifier
    static func < (a: Self, b: Self) -> Bool { a.deadlineNanoseconds < b.deadlineNanoseconds }
  }

  /// Behind a pointer: class storage would pay an exclusivity check an access.
  private struct State {
    var waitPolicy: WaitPolicy
    var spin = AdaptiveSpin()
    var slots: [Slot] = []
    /// Sources whose input is looked for by calling them, while the reactor spins.
    var polled: [SourceIdentifier] = []
    var freeIndices: [UInt32] = []
    var dirty: [SourceIdentifier] = []
    var ready: [SourceIdentifier] = []
    var timers = Heap<TimerEntry>()
    var nowNanoseconds: UInt64
    var isEventPollArmed = false
    var hasEventFired = false
    var armedForeignDeadlineNanoseconds: UInt64 = .max
    var foreignTimeout = __kernel_timespec()
    var runningJobs: [UnownedJob] = []
    var liveSourceCount = 0
    /// Ring entries whose completion has not come.
    var entriesInFlight = 0
    var isShuttingDown = false
    /// Commands' answers that sources wait for.
    var expectedAnswerCount = 0
    var statistics = ReactorStatistics()
    var foreign = ForeignDescriptors()
    /// Taken out of the table in this turn; let go of at its end, when none of their methods can be running.
    var retired: [Unmanaged<ReactorSource>] = []
  }

  /// An index no source gets: the reactor's own entries.
  private static let internalIndex: UInt32 = 0xFF_FFFF
  private enum InternalOperation {
    static let eventPoll: UInt8 = 1
    static let foreignTimeout: UInt8 = 2
    static let cancelAll: UInt8 = 3
  }

  /// Makes a reactor on the calling thread.
  ///
  /// - Parameters:
  ///   - submissionEntries: size of the submission ring, 1...32768, rounded up to a power of two.
  ///   - completionEntries: size of the completion ring. Completions beyond it wait in the kernel; none is lost.
  ///   - waitPolicy: how turns that may wait do it.
  /// - Throws: ``RingError``, naming the feature that this kernel lacks.
  public init(
    submissionEntries: UInt32 = 256, completionEntries: UInt32 = 2048, waitPolicy: WaitPolicy = .adaptive
  ) throws(RingError) {
    ring = try Ring(entries: submissionEntries, completionEntries: completionEntries)
    handle = try ReactorHandle()
    state = .allocate(capacity: 1)
    kernel = nil
    state.initialize(to: State(waitPolicy: waitPolicy, nowNanoseconds: MonotonicClock.nanoseconds()))
    state.pointee.polled.reserveCapacity(Self.maximumPolledCount)
  }

  /// Makes a reactor that makes no system call and reads no clock, to be turned by ``WaitMode/none`` whenever something
  /// may have happened. Several may share a thread.
  package init(kernel: any SimulatedKernel) throws(RingError) {
    ring = Ring(simulating: kernel)
    handle = try ReactorHandle(isSimulated: true)
    state = .allocate(capacity: 1)
    self.kernel = kernel
    state.initialize(to: State(waitPolicy: .eventDriven, nowNanoseconds: kernel.nowNanoseconds))
  }

  deinit {
    shutDown()
    // What the kernel has not given back in all this time it may still write to: that memory is never freed.
    if state.pointee.entriesInFlight == 0 {
      for slot in state.pointee.slots { slot.source?.release() }
      for source in state.pointee.retired { source.release() }
    }
    if state.pointee.foreign.epoll >= 0 {
      close(state.pointee.foreign.epoll)
      close(state.pointee.foreign.event)
    }
    state.deinitialize(count: 1)
    state.deallocate()
  }

  /// Ends what goes on here: takes no more messages, cancels everything that the ring is at, and lets the sources see
  /// that, so that connections are closed and whoever waits for something gets an answer.
  ///
  /// Sources whose operations the kernel will not give back within ``shutdownNanoseconds`` are not let go of.
  func shutDown() {
    guard !state.pointee.isShuttingDown else { return }
    state.pointee.isShuttingDown = true
    let rest = handle.mailbox.withLock { box in
      let content = (box.messages, box.readySources, box.jobs)
      box = ReactorHandle.Mailbox()
      box.isClosed = true
      return content
    }
    // What has been accepted is carried out: somebody may be waiting for it.
    for message in rest.0 { message(self) }
    for source in rest.1 { markReady(source) }
    handle.localJobs.pointee.append(contentsOf: rest.2)
    for index in state.pointee.slots.indices {
      state.pointee.slots[index].source?._withUnsafeGuaranteedRef { $0.reactorIsEnding() }
    }
    let end = readClock() + Self.shutdownNanoseconds
    var rounds = 0
    // Only the ring's own thread may use it.
    while handle.isCurrentThread, state.pointee.entriesInFlight > 0 || hasPendingWork {
      // A source that begins anew whenever it is cancelled is no reason to stay.
      rounds += 1
      if rounds > 1000 || readClock() > end { break }
      cancelAll()
      turn(.atMost(nanoseconds: 10_000_000))
    }
    handle.isGone.store(true, ordering: .relaxed)
    var jobs: [UnownedJob] = []
    swap(&jobs, &handle.localJobs.pointee)
    for job in jobs { handle.run(job) }
  }

  private static let shutdownNanoseconds: UInt64 = 2_000_000_000

  private func cancelAll() {
    guard state.pointee.entriesInFlight > 0 else { return }
    let userData = SourceIdentifier(index: Self.internalIndex, generation: 0)
      .userData(operation: InternalOperation.cancelAll, tag: 0)
    io_uring_prep_cancel(
      entry(userData: userData), nil, Int32(IORING_ASYNC_CANCEL_ANY) | Int32(IORING_ASYNC_CANCEL_ALL))
  }

  /// True where the kernel has SINGLE_ISSUER and DEFER_TASKRUN: completions then come in batches of our choosing.
  public var defersTaskWork: Bool { ring.defersTaskWork }

  /// How turns that may wait do it; to be changed on the reactor's thread. ``turnFromEventLoop()`` and
  /// ``WaitMode/none`` never wait, whatever it says.
  public var waitPolicy: WaitPolicy {
    get { state.pointee.waitPolicy }
    set { state.pointee.waitPolicy = newValue }
  }

  /// The time this turn began, nanoseconds of `CLOCK_MONOTONIC`.
  public var nowNanoseconds: UInt64 { state.pointee.nowNanoseconds }

  /// The time now, nanoseconds of `CLOCK_MONOTONIC`: for what must not be as old as this turn.
  public func readClock() -> UInt64 { kernel == nil ? MonotonicClock.nanoseconds() : simulatedClock }

  // Not inlined: holding the kernel counts references, which a turn without a simulation is not to pay for.
  private var simulatedClock: UInt64 {
    @inline(never) get { kernel?.nowNanoseconds ?? 0 }
  }

  /// When a source's deadline is due next; nil when none has one.
  package var nextDeadlineNanoseconds: UInt64? { nextDeadline() }

  /// Sources on this reactor.
  public var sourceCount: Int { state.pointee.liveSourceCount }
  /// What it has done since it was made.
  public var statistics: ReactorStatistics { state.pointee.statistics }

  // MARK: Sources

  func reserveIdentifier() -> SourceIdentifier {
    if let index = state.pointee.freeIndices.popLast() {
      return SourceIdentifier(index: index, generation: state.pointee.slots[Int(index)].generation)
    }
    state.pointee.slots.append(Slot(source: nil, generation: 1))
    // Room for all sources at once, each a second time while a round goes over the list: an I/O is not to be what makes
    // the lists grow.
    let capacity = 2 * state.pointee.slots.capacity
    if state.pointee.dirty.capacity < capacity { state.pointee.dirty.reserveCapacity(capacity) }
    if state.pointee.ready.capacity < capacity { state.pointee.ready.reserveCapacity(capacity) }
    return SourceIdentifier(index: UInt32(state.pointee.slots.count - 1), generation: 1)
  }

  func adopt(_ source: ReactorSource) {
    state.pointee.slots[Int(source.identifier.index)].source = .passRetained(source)
    state.pointee.liveSourceCount += 1
  }

  func remove(_ source: ReactorSource) {
    let index = Int(source.identifier.index)
    guard isLive(source.identifier) else { return }
    if !state.pointee.polled.isEmpty { stopPolling(source) }
    let reference = state.pointee.slots[index].source
    state.pointee.slots[index] = Slot(
      source: nil, generation: state.pointee.slots[index].generation &+ 1)
    state.pointee.freeIndices.append(source.identifier.index)
    state.pointee.liveSourceCount -= 1
    if let reference { state.pointee.retired.append(reference) }
  }

  private func isLive(_ identifier: SourceIdentifier) -> Bool {
    let index = Int(identifier.index)
    return index < state.pointee.slots.count && state.pointee.slots[index].generation == identifier.generation
      && state.pointee.slots[index].source != nil
  }

  /// Has ``ReactorSource/flush()`` called before the next submission. Cheap to repeat.
  public func markDirty(_ source: ReactorSource) {
    let identifier = source.identifier
    let slot = Int(identifier.index)
    // A source that has retired may have given its place in the table to another one.
    guard isLive(identifier), !state.pointee.slots[slot].isDirty else { return }
    state.pointee.slots[slot].isDirty = true
    state.pointee.dirty.append(identifier)
  }

  /// Has ``ReactorSource/run()`` called later in this turn, or in the next. Cheap to repeat.
  public func markReady(_ source: ReactorSource) {
    markReady(source.identifier)
  }

  private func markReady(_ identifier: SourceIdentifier) {
    guard isLive(identifier), !state.pointee.slots[Int(identifier.index)].isReady else { return }
    state.pointee.slots[Int(identifier.index)].isReady = true
    state.pointee.ready.append(identifier)
  }

  /// Sets the one deadline of a source, nanoseconds of `CLOCK_MONOTONIC`; nil unsets it.
  public func setDeadline(_ deadlineNanoseconds: UInt64?, of source: ReactorSource) {
    let identifier = source.identifier
    guard isLive(identifier) else { return }
    let deadline = deadlineNanoseconds ?? .max
    let old = state.pointee.slots[Int(identifier.index)].deadlineNanoseconds
    guard deadline != old else { return }
    state.pointee.slots[Int(identifier.index)].deadlineNanoseconds = deadline
    // Entries are not removed from the heap when a deadline moves: one that no longer matches its source's deadline
    // is passed over when it surfaces.
    if deadline != .max {
      state.pointee.timers.insert(TimerEntry(deadlineNanoseconds: deadline, identifier: identifier))
    }
    if state.pointee.timers.count > 64, state.pointee.timers.count > 8 * state.pointee.liveSourceCount {
      rebuildTimers()
    }
  }

  private func rebuildTimers() {
    var timers = Heap<TimerEntry>()
    for (index, slot) in state.pointee.slots.enumerated() where slot.source != nil && slot.deadlineNanoseconds != .max {
      timers.insert(
        TimerEntry(
          deadlineNanoseconds: slot.deadlineNanoseconds,
          identifier: SourceIdentifier(index: UInt32(index), generation: slot.generation)))
    }
    state.pointee.timers = timers
  }

  // MARK: Polling

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

  /// With this many answers on their way a wake-up brings several of them, and they are cheaper than a look each.
  private static let manyAnswers = 24

  private var expectsMany: Bool { state.pointee.expectedAnswerCount >= Self.manyAnswers }

  private var spinBudgetNanoseconds: UInt64 { expectsMany ? 0 : state.pointee.spin.budgetNanoseconds }

  /// Each of these costs a system call a look: with more, being told by the ring is cheaper.
  private static let maximumPolledCount = 2

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

  private func endPolling() {
    while let identifier = state.pointee.polled.popLast() {
      guard isLive(identifier) else { continue }
      state.pointee.slots[Int(identifier.index)].source?._withUnsafeGuaranteedRef { $0.pollingEnded() }
    }
  }

  // MARK: Ring entries

  /// An entry of the submission ring for `operation` of `source`, ready to be prepared. Submits first when full.
  func entry(for source: ReactorSource, operation: UInt8, tag: UInt16 = 0) -> UnsafeMutablePointer<io_uring_sqe> {
    entry(userData: source.identifier.userData(operation: operation, tag: tag))
  }

  private func entry(userData: UInt64) -> UnsafeMutablePointer<io_uring_sqe> {
    while true {
      if let entry = ring.nextEntry() {
        // `io_uring_prep_*` of liburing 2.3 leave user_data alone, so it can be set before.
        entry.pointee.user_data = userData
        state.pointee.entriesInFlight += 1
        return entry
      }
      // Full: hand over what is there. EBUSY and EAGAIN pass once completions have been collected by the kernel.
      _ = ring.submitAndCollect()
    }
  }

  // MARK: Turning

  /// One turn of the loop. Call on the reactor's thread only, and never from within a source.
  ///
  /// - Returns: how many completions, messages, deadlines and runs were handled; 0 when nothing was there.
  @discardableResult
  public func turn(_ wait: WaitMode) -> Int {
    // Whoever has asked to run since the last turn may have something for the caller: that is not to be slept upon.
    var handled = runReadySources()
    flushDirtySources()
    armEventPoll()
    enter(handled > 0 ? .none : wait)
    state.pointee.nowNanoseconds = readClock()
    let completionCount = reap()
    state.pointee.statistics.completionCount &+= UInt64(completionCount)
    handled += completionCount
    handled += drainMailbox()
    // Before the deadlines: an answer that has come in time is not late because this thread was.
    handled += runReadySources()
    handled += expireDeadlines()
    handled += runReadySources()
    releaseRetired()
    state.pointee.statistics.turnCount &+= 1
    if handled == 0 { state.pointee.statistics.idleTurnCount &+= 1 }
    return handled
  }

  /// Turns until `condition` holds or the time is over; for start-up code and tests.
  ///
  /// - Returns: whether the condition holds.
  public func turn(untilNanoseconds deadline: UInt64 = .max, while condition: () -> Bool) -> Bool {
    while condition() {
      let now = MonotonicClock.nanoseconds()
      if now >= deadline { return false }
      turn(deadline == .max ? .forever : .atMost(nanoseconds: deadline - now))
    }
    return true
  }

  /// A descriptor that is readable whenever ``turnFromEventLoop()`` has something to do: to be watched level-triggered.
  /// It stays the reactor's. Ask for it on the reactor's thread.
  ///
  /// It is not the ring's own: polling that one does not notice work that the kernel has deferred (DEFER_TASKRUN). Behind
  /// it are an eventfd that the ring signals, and the mailbox's, because an eventfd does not reliably signal another one.
  ///
  /// - Throws: ``RingError/systemCall(name:errno:)``.
  public func pollableFileDescriptor() throws(RingError) -> Int32 {
    if state.pointee.foreign.epoll >= 0 { return state.pointee.foreign.epoll }
    let event = eventfd(0, nvmeof_eventfd_flags)
    guard event >= 0 else { throw .systemCall(name: "eventfd", errno: errno) }
    let code = ring.register(eventDescriptor: event)
    guard code == 0 else {
      close(event)
      throw .systemCall(name: "io_uring_register_eventfd", errno: -code)
    }
    let epoll = nvmeof_epoll_of(event, handle.eventDescriptor)
    guard epoll >= 0 else {
      let code = errno
      ring.unregisterEventDescriptor()
      close(event)
      throw .systemCall(name: "epoll_create1", errno: code)
    }
    state.pointee.foreign = ForeignDescriptors(event: event, epoll: epoll)
    endPolling()
    return epoll
  }

  /// One turn for a foreign event loop: handles what is there, never waits, and leaves the ring armed so that
  /// ``pollableFileDescriptor()`` becomes readable at the next completion, message or deadline.
  ///
  /// Call it once after asking for the descriptor, and whenever sources have been used from outside of it.
  @discardableResult
  public func turnFromEventLoop() -> Int {
    var handled = 0
    var counter: UInt64 = 0
    // First, so that nothing that happens from now on goes unnoticed.
    _ = read(state.pointee.foreign.event, &counter, 8)
    for _ in 0..<Self.maximumForeignTurns {
      handled += turn(.none)
      armForeignTimeout()
      armEventPoll()
      // All that has been prepared must be with the kernel, and nothing left to do: nobody else will see to it.
      if ring.unsubmittedCount == 0 && !ring.hasCompletions && !hasPendingWork { return handled }
    }
    // The foreign loop has others to serve: it is asked to come again at once.
    _ = ring.submitAndCollect()
    handle.wake()
    return handled
  }

  private static let maximumForeignTurns = 32

  private var hasPendingWork: Bool {
    !state.pointee.ready.isEmpty || !state.pointee.dirty.isEmpty || !handle.localJobs.pointee.isEmpty
  }

  private func enter(_ wait: WaitMode) {
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

  private func reap() -> Int {
    var handled = 0
    let batch = 64
    return withUnsafeTemporaryAllocation(of: UnsafeMutablePointer<io_uring_cqe>?.self, capacity: batch) { entries in
      while true {
        let count = Int(io_uring_peek_batch_cqe(ring.pointer, entries.baseAddress!, UInt32(batch)))
        if count == 0 { return handled }
        for position in 0..<count {
          let entry = entries[position]!.pointee
          if entry.flags & UInt32(IORING_CQE_F_MORE) == 0 { state.pointee.entriesInFlight -= 1 }
          dispatch(userData: entry.user_data, result: entry.res, flags: entry.flags)
        }
        io_uring_cq_advance(ring.pointer, UInt32(count))
        handled += count
        // A turn handles at most what fits the ring: others want their turn too.
        if count < batch || handled >= 4096 { return handled }
      }
    }
  }

  private func dispatch(userData: UInt64, result: Int32, flags: UInt32) {
    let identifier = SourceIdentifier(userData: userData)
    let operation = UInt8(truncatingIfNeeded: userData >> 56)
    if identifier.index == Self.internalIndex {
      switch operation {
      case InternalOperation.eventPoll:
        state.pointee.isEventPollArmed = false
        state.pointee.hasEventFired = true
      case InternalOperation.foreignTimeout: state.pointee.armedForeignDeadlineNanoseconds = .max
      default: break
      }
      return
    }
    guard Int(identifier.index) < state.pointee.slots.count else { return }
    let slot = state.pointee.slots[Int(identifier.index)]
    guard slot.generation == identifier.generation, let source = slot.source else { return }
    let completion = RingCompletion(
      operation: operation, tag: UInt16(truncatingIfNeeded: userData >> 40), result: result, flags: flags)
    source._withUnsafeGuaranteedRef { $0.completed(completion) }
  }

  private func flushDirtySources() {
    // A flush may make other sources dirty; a bounded number of rounds, the rest comes next turn.
    var rounds = 0
    while !state.pointee.dirty.isEmpty && rounds < 4 {
      rounds += 1
      var position = 0
      let count = state.pointee.dirty.count
      while position < count {
        let identifier = state.pointee.dirty[position]
        position += 1
        guard isLive(identifier) else { continue }
        state.pointee.slots[Int(identifier.index)].isDirty = false
        state.pointee.slots[Int(identifier.index)].source?._withUnsafeGuaranteedRef { $0.flush() }
      }
      state.pointee.dirty.removeFirst(count)
    }
  }

  private func runReadySources() -> Int {
    var handled = 0
    if !handle.localJobs.pointee.isEmpty { handled += runJobs() }
    var rounds = 0
    while !state.pointee.ready.isEmpty && rounds < 8 {
      rounds += 1
      let count = state.pointee.ready.count
      var position = 0
      while position < count {
        let identifier = state.pointee.ready[position]
        position += 1
        guard isLive(identifier) else { continue }
        state.pointee.slots[Int(identifier.index)].isReady = false
        state.pointee.slots[Int(identifier.index)].source?._withUnsafeGuaranteedRef { $0.run() }
      }
      state.pointee.ready.removeFirst(count)
      handled += count
    }
    return handled
  }

  private func runJobs() -> Int {
    // Two arrays that take turns: jobs enqueue new ones while they run, and nothing is allocated in the long run.
    swap(&state.pointee.runningJobs, &handle.localJobs.pointee)
    let count = state.pointee.runningJobs.count
    for position in 0..<count { handle.run(state.pointee.runningJobs[position]) }
    state.pointee.runningJobs.removeAll(keepingCapacity: true)
    return count
  }

  // MARK: Mailbox and deadlines

  private func armEventPoll() {
    guard !state.pointee.isEventPollArmed, !state.pointee.isShuttingDown else { return }
    state.pointee.isEventPollArmed = true
    let userData = SourceIdentifier(index: Self.internalIndex, generation: 0)
      .userData(operation: InternalOperation.eventPoll, tag: 0)
    io_uring_prep_poll_add(entry(userData: userData), handle.eventDescriptor, UInt32(POLLIN))
  }

  private func drainMailbox() -> Int {
    guard state.pointee.hasEventFired || handle.isSignalled.load(ordering: .relaxed) else { return 0 }
    state.pointee.hasEventFired = false
    var counter: UInt64 = 0
    if kernel == nil { _ = read(handle.eventDescriptor, &counter, 8) }
    handle.isSignalled.store(false, ordering: .sequentiallyConsistent)
    let (messages, sources, jobs) = handle.mailbox.withLock { box in
      let content = (box.messages, box.readySources, box.jobs)
      box.messages.removeAll(keepingCapacity: true)
      box.readySources.removeAll(keepingCapacity: true)
      box.jobs.removeAll(keepingCapacity: true)
      return content
    }
    for message in messages { message(self) }
    for source in sources { markReady(source) }
    if !jobs.isEmpty {
      handle.localJobs.pointee.append(contentsOf: jobs)
    }
    return messages.count + sources.count + jobs.count
  }

  private func nextDeadline() -> UInt64? {
    while let first = state.pointee.timers.min {
      if isLive(first.identifier),
        state.pointee.slots[Int(first.identifier.index)].deadlineNanoseconds == first.deadlineNanoseconds
      {
        return first.deadlineNanoseconds
      }
      _ = state.pointee.timers.popMin()
    }
    return nil
  }

  private func expireDeadlines() -> Int {
    var handled = 0
    // A source may set a deadline that has passed already: its turn comes again, but not in this turn for ever.
    var budget = state.pointee.timers.count
    while budget > 0, let deadline = nextDeadline(), deadline <= state.pointee.nowNanoseconds {
      budget -= 1
      guard let entry = state.pointee.timers.popMin() else { break }
      state.pointee.slots[Int(entry.identifier.index)].deadlineNanoseconds = .max
      state.pointee.slots[Int(entry.identifier.index)].source?._withUnsafeGuaranteedRef { $0.deadlineExpired() }
      handled += 1
    }
    return handled
  }

  /// In a foreign event loop nobody passes a time-out to the kernel for us: a timeout entry makes the ring readable.
  private func armForeignTimeout() {
    guard let deadline = nextDeadline(), deadline < state.pointee.armedForeignDeadlineNanoseconds else { return }
    state.pointee.armedForeignDeadlineNanoseconds = deadline
    state.pointee.foreignTimeout = __kernel_timespec(
      tv_sec: Int64(deadline / 1_000_000_000), tv_nsec: Int64(deadline % 1_000_000_000))
    let userData = SourceIdentifier(index: Self.internalIndex, generation: 0)
      .userData(operation: InternalOperation.foreignTimeout, tag: 0)
    let timeout = UnsafeMutableRawPointer(state)
      .advanced(by: MemoryLayout<State>.offset(of: \State.foreignTimeout)!)
      .assumingMemoryBound(to: __kernel_timespec.self)
    let entry = entry(userData: userData)
    io_uring_prep_timeout(entry, timeout, 0, UInt32(IORING_TIMEOUT_ABS))
  }

  private func releaseRetired() {
    guard !state.pointee.retired.isEmpty else { return }
    var retired: [Unmanaged<ReactorSource>] = []
    swap(&retired, &state.pointee.retired)
    for source in retired { source.release() }
  }
}
