internal import CLiburing
import Glibc
import Synchronization

/// The part of a reactor that other threads may use: leave work in its mailbox, wake it.
///
/// It is also an executor, so that a task's code runs on the reactor's own thread, where submitting and resuming need no
/// hop to another one: as a `TaskExecutor` a task's preference (`withTaskExecutorPreference(handle) { … }`), which brings
/// the task back to this thread after each suspension; as a `SerialExecutor` an actor's as well
/// (`nonisolated var unownedExecutor: UnownedSerialExecutor { handle.asUnownedSerialExecutor() }`), so that its methods
/// need no switch when they are called from here. Without the preference a suspended task of such an actor comes back by
/// way of the global executor.
public final class ReactorHandle: SerialExecutor, TaskExecutor, Sendable {
  struct Mailbox {
    enum Opening {
      case everything
      /// The reactor ends, and waits for what its sources have with other threads.
      case answers
      case nothing
    }

    var messages: [@Sendable (Reactor) -> Void] = []
    var readySources: [SourceIdentifier] = []
    var jobs: [UnownedJob] = []
    var opening = Opening.everything
    /// No reactor runs the jobs any more: one of the threads that bring them does.
    var isLeft = false
    /// Set while one of them is at it. Kept here, because the end of a task may take the last other reference along.
    var runner: ReactorHandle?
  }

  let mailbox = Mutex(Mailbox())
  /// True from the first message until the reactor drains: one eventfd write a batch.
  let isSignalled = Atomic<Bool>(false)
  /// Set when the reactor goes.
  let isGone = Atomic<Bool>(false)
  /// What wakes the reactor; -1 in a simulation, where nobody sleeps.
  let eventDescriptor: Int32
  let thread: pthread_t
  /// Jobs enqueued on the reactor's own thread: touched by that thread alone, hence without a lock.
  nonisolated(unsafe) let localJobs: UnsafeMutablePointer<[UnownedJob]>

  init(isSimulated: Bool = false) throws(RingError) {
    eventDescriptor = isSimulated ? -1 : eventfd(0, nvmeof_eventfd_flags)
    guard isSimulated || eventDescriptor >= 0 else { throw .systemCall(name: "eventfd", errno: errno) }
    thread = pthread_self()
    localJobs = .allocate(capacity: 1)
    localJobs.initialize(to: [])
  }

  deinit {
    if eventDescriptor >= 0 { close(eventDescriptor) }
    localJobs.deinitialize(count: 1)
    localJobs.deallocate()
  }

  /// True on the thread that owns the reactor, while there is one. (A later thread may get the name of one that ended.)
  public var isCurrentThread: Bool {
    pthread_equal(pthread_self(), thread) != 0 && !isGone.load(ordering: .relaxed)
  }

  /// Runs `message` on the reactor's thread in one of its next turns, in the order of posting.
  ///
  /// Any thread may call. Returns false, and drops the message, when the reactor is gone.
  @discardableResult
  public func post(_ message: @escaping @Sendable (Reactor) -> Void) -> Bool {
    deliver { $0.messages.append(message) }
  }

  /// As ``post(_:)``, for what a source waits for (``ReactorSource/awaitsAnswers``): a reactor that ends takes it, too, as
  /// long as it waits.
  @discardableResult
  package func answer(_ message: @escaping @Sendable (Reactor) -> Void) -> Bool {
    deliver(asAnswer: true) { $0.messages.append(message) }
  }

  /// Runs `body` on the reactor's thread and returns what it returns. Any task may call.
  ///
  /// - Throws: what `body` throws, or ``ReactorGone``.
  public func perform<Value: Sendable>(
    _ body: @escaping @Sendable (Reactor) throws -> Value
  ) async throws -> Value {
    try await withUnsafeThrowingContinuation { continuation in
      let isOpen = post { reactor in
        continuation.resume(with: Result { try body(reactor) })
      }
      if !isOpen { continuation.resume(throwing: ReactorGone()) }
    }
  }

  /// Has ``ReactorSource/run()`` of a source called in one of the next turns. Any thread may call. A source that is
  /// gone by then is passed over.
  @discardableResult
  public func wake(_ source: SourceIdentifier) -> Bool {
    deliver { $0.readySources.append(source) }
  }

  /// Makes a sleeping turn return. Any thread may call.
  public func wake() { deliver { _ in } }

  public func enqueue(_ job: consuming ExecutorJob) {
    let job = UnownedJob(job)
    if isCurrentThread {
      // A turn never sleeps while there are jobs.
      localJobs.pointee.append(job)
      return
    }
    let isOurs = mailbox.withLock { box in
      box.jobs.append(job)
      guard box.isLeft else {
        // Within the lock: as soon as it is let go of, the job may run, end the reactor, and take the last reference to this
        // object along.
        signal()
        return false
      }
      guard box.runner == nil else { return false }
      box.runner = self
      return true
    }
    if isOurs { runLeftJobs() }
  }

  /// The reactor's last act: what it has left, and what comes from now on, is run by whoever brings it. A task must never be
  /// lost; and what runs on one executor never runs side by side, so that one thread at a time does it for all.
  func leaveJobs() {
    isGone.store(true, ordering: .relaxed)
    var jobs: [UnownedJob] = []
    swap(&jobs, &localJobs.pointee)
    // Answers that have come too late. Let go of when the lock is not held any more: they may hold this object.
    var late: [@Sendable (Reactor) -> Void] = []
    mailbox.withLock { box in
      box.opening = .nothing
      swap(&late, &box.messages)
      box.jobs = jobs + box.jobs
      box.isLeft = true
      box.runner = self
    }
    late = []
    runLeftJobs()
  }

  private func runLeftJobs() {
    // Let go of when the lock is not held any more.
    var runner: ReactorHandle?
    func next() -> UnownedJob? {
      mailbox.withLock { box in
        guard box.jobs.isEmpty else { return box.jobs.removeFirst() }
        runner = box.runner
        box.runner = nil
        return nil
      }
    }
    while let job = next() { run(job) }
    withExtendedLifetime(runner) {}
  }

  /// Runs a job here and now: on the reactor's thread, or where nobody else can be running one any more.
  func run(_ job: UnownedJob) {
    job.runSynchronously(isolatedTo: asUnownedSerialExecutor(), taskExecutor: asUnownedTaskExecutor())
  }

  /// What `assumeIsolated` and `preconditionIsolated` of an actor on this executor ask.
  public func checkIsolated() {
    precondition(isCurrentThread, "not on the reactor's thread")
  }

  @discardableResult
  private func deliver(asAnswer isAnswer: Bool = false, _ body: (inout sending Mailbox) -> Void) -> Bool {
    let isOpen = mailbox.withLock { box in
      guard box.opening == .everything || isAnswer && box.opening == .answers else { return false }
      body(&box)
      return true
    }
    if isOpen { signal() }
    return isOpen
  }

  private func signal() {
    guard !isSignalled.exchange(true, ordering: .acquiringAndReleasing), eventDescriptor >= 0 else { return }
    var one: UInt64 = 1
    // EAGAIN would mean that the counter is full: the reactor is awake then anyway.
    _ = write(eventDescriptor, &one, 8)
  }
}
