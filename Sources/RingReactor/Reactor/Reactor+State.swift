internal import CLiburing
internal import HeapModule

extension Reactor {
  /// Behind a pointer: class storage would pay an exclusivity check an access.
  struct State {
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

  struct Slot {
    var source: Unmanaged<ReactorSource>?
    var generation: UInt16
    var isDirty = false
    var isReady = false
    var deadlineNanoseconds: UInt64 = .max
  }

  struct TimerEntry: Comparable {
    var deadlineNanoseconds: UInt64
    var identifier: SourceIdentifier
    static func < (a: Self, b: Self) -> Bool { a.deadlineNanoseconds < b.deadlineNanoseconds }
  }

  /// What a foreign event loop watches; -1 until one has asked for it.
  struct ForeignDescriptors {
    var event: Int32 = -1
    var epoll: Int32 = -1
  }
}
