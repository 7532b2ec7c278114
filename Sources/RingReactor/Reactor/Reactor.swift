internal import Glibc
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

  let ring: Ring
  /// In a simulation: what takes the operating system's place.
  let kernel: (any SimulatedKernel)?
  let state: UnsafeMutablePointer<State>

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
    // What the kernel, or another thread, has not given back in all this time it may still write to: that memory is never
    // freed.
    if state.pointee.entriesInFlight == 0 && !awaitsAnswers {
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
  /// Sources whose operations the kernel will not give back within ``shutdownNanoseconds``, or who are not answered by other
  /// threads until then, are not let go of. Nobody waits without turning: two reactors that end together serve each other.
  func shutDown() {
    guard !state.pointee.isShuttingDown else { return }
    state.pointee.isShuttingDown = true
    let rest = handle.mailbox.withLock { box in
      let content = (box.messages, box.readySources, box.jobs)
      box = ReactorHandle.Mailbox()
      box.opening = .answers
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
    while handle.isCurrentThread, state.pointee.entriesInFlight > 0 || hasPendingWork || awaitsAnswers {
      // A source that begins anew whenever it is cancelled is no reason to stay. In a simulation nobody else has a turn
      // meanwhile.
      rounds += 1
      if rounds > 1000 && (kernel != nil || !awaitsAnswers) || readClock() > end { break }
      cancelAll()
      turn(.atMost(nanoseconds: 10_000_000))
    }
    handle.leaveJobs()
  }

  private var awaitsAnswers: Bool {
    state.pointee.slots.contains { $0.source?._withUnsafeGuaranteedRef { $0.awaitsAnswers } == true }
  }

  private static let shutdownNanoseconds: UInt64 = 2_000_000_000

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

  /// Sources on this reactor.
  public var sourceCount: Int { state.pointee.liveSourceCount }
  /// What it has done since it was made.
  public var statistics: ReactorStatistics { state.pointee.statistics }

  var hasPendingWork: Bool {
    !state.pointee.ready.isEmpty || !state.pointee.dirty.isEmpty || !handle.localJobs.pointee.isEmpty
  }

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
}
