internal import BlockDevice

/// A job's way to a block device's `async` face: one task for each place of the queue depth, all on the job's own
/// reactor. What it measures is what a program written with `await` gets: a task that has awaited its I/O goes straight
/// on to the next one, and waits for the job only where the load has none for it yet.
struct AsyncDeviceChannel: BenchmarkChannel, ~Copyable {
  /// What the job and the tasks share, all of it on the reactor's thread.
  private final class Lanes: @unchecked Sendable {
    let devices: [any BlockDevice]
    let blockShift: UInt64
    let depth: Int
    private let load: UnsafeMutablePointer<JobLoad<SystemClock>>
    /// Tasks that wait for an I/O; how many I/Os have ended and have been begun by tasks in this turn: plain memory, so that
    /// the measuring stays cheap.
    private let waiters: UnsafeMutablePointer<UnsafeContinuation<BlockRequest?, Never>>
    private let waiterCount: UnsafeMutablePointer<Int>
    private let endedCount: UnsafeMutablePointer<Int>
    private let begunCount: UnsafeMutablePointer<Int>
    private(set) var runningTasks: Int
    private var isEnding = false
    var lastFailure = ""

    init(devices: [any BlockDevice], blockShift: UInt64, load: UnsafeMutablePointer<JobLoad<SystemClock>>) {
      self.devices = devices
      self.blockShift = blockShift
      self.load = load
      depth = load.pointee.loop.depth
      waiters = .allocate(capacity: depth)
      waiterCount = .allocate(capacity: 1)
      waiterCount.initialize(to: 0)
      endedCount = .allocate(capacity: 1)
      endedCount.initialize(to: 0)
      begunCount = .allocate(capacity: 1)
      begunCount.initialize(to: 0)
      runningTasks = depth
    }

    deinit {
      waiters.deallocate()
      waiterCount.deallocate()
      endedCount.deallocate()
      begunCount.deallocate()
    }

    var hasAllWaiting: Bool { waiterCount.pointee == depth }

    /// For a task: its next I/O from the job; nil ends it.
    func wait(_ continuation: UnsafeContinuation<BlockRequest?, Never>) {
      if isEnding {
        continuation.resume(returning: nil)
        return
      }
      (waiters + waiterCount.pointee).initialize(to: continuation)
      waiterCount.pointee += 1
    }

    /// Hands a task that waits its next I/O: there is one, as the load has at most `depth` in flight.
    func give(_ command: ChannelCommand) {
      waiterCount.pointee -= 1
      (waiters + waiterCount.pointee).move()
        .resume(returning: BlockDeviceChannel.request(command, blockShift: blockShift))
    }

    /// For a task: its I/O has ended. Its next one, if the load has one for now.
    @inline(__always)
    func next(after completion: ChannelCompletion) -> BlockRequest? {
      // The load may be gone by then.
      guard !isEnding else { return nil }
      // Read by each task: in one turn the tasks run one after the other, and an I/O to memory may begin and end.
      var now = load.pointee.clock.now()
      endedCount.pointee += 1
      load.pointee.complete(completion, now, lastFailure)
      // A failure may have taken no time, as a refusal does: the job looks at the clock before the next I/O.
      guard completion.isSuccess, !load.pointee.isStopping, case .submit(let command) = load.pointee.next(&now) else {
        return nil
      }
      _ = load.pointee.accepted(now)
      begunCount.pointee += 1
      return BlockDeviceChannel.request(command, blockShift: blockShift)
    }

    /// After a turn of the reactor.
    func noteBatch() {
      guard endedCount.pointee > 0 else { return }
      load.pointee.statistics.completeBatches.recordBatch(endedCount.pointee)
      if begunCount.pointee > 0 { load.pointee.statistics.submitBatches.recordBatch(begunCount.pointee) }
      endedCount.pointee = 0
      begunCount.pointee = 0
    }

    func taskEnded() { runningTasks -= 1 }

    func end() {
      isEnding = true
      while waiterCount.pointee > 0 {
        waiterCount.pointee -= 1
        (waiters + waiterCount.pointee).move().resume(returning: nil)
      }
    }
  }

  /// A program that does its I/O with `await`, as an actor on the reactor of its device.
  private actor Program {
    private let reactor: ReactorHandle
    private let lanes: Lanes

    init(reactor: ReactorHandle, lanes: Lanes) {
      self.reactor = reactor
      self.lanes = lanes
    }

    nonisolated var unownedExecutor: UnownedSerialExecutor { reactor.asUnownedSerialExecutor() }

    func run(_ lane: Int) async {
      let lanes = lanes
      let device = lanes.devices[lane % lanes.devices.count]
      while var request = await withUnsafeContinuation({ lanes.wait($0) }) {
        while true {
          var isSuccess = true
          do throws(BlockError) {
            try await device.perform(request)
          } catch {
            lanes.lastFailure = error.description
            isSuccess = false
          }
          let completion = ChannelCompletion(token: UInt32(truncatingIfNeeded: request.token), isSuccess: isSuccess)
          guard let next = lanes.next(after: completion) else { break }
          request = next
        }
      }
      lanes.taskEnded()
    }
  }

  private let reactor: Reactor
  private let lanes: Lanes

  /// The `async` faces of `devices` run on `reactor`; tasks belong to devices in turn.
  init(
    reactor: Reactor, devices: [any BlockDevice], blockByteCount: UInt32,
    load: UnsafeMutablePointer<JobLoad<SystemClock>>
  ) {
    self.reactor = reactor
    let lanes = Lanes(devices: devices, blockShift: UInt64(blockByteCount.trailingZeroBitCount), load: load)
    self.lanes = lanes
    let program = Program(reactor: reactor.handle, lanes: lanes)
    for lane in 0..<lanes.depth {
      Task(executorPreference: reactor.handle) { await program.run(lane) }
    }
    while !lanes.hasAllWaiting { reactor.turn(.atMost(nanoseconds: 1_000_000)) }
  }

  deinit {
    lanes.end()
    // Tasks with I/O that never came back are given up after a second.
    let lanes = lanes
    _ = reactor.turn(untilNanoseconds: MonotonicClock.nanoseconds() + 1_000_000_000) { lanes.runningTasks > 0 }
  }

  mutating func submit(_ command: ChannelCommand) -> ChannelSubmission {
    lanes.give(command)
    return .accepted
  }

  /// Nothing is left for the job to collect: the tasks have told the load themselves.
  mutating func poll(
    into completions: UnsafeMutableBufferPointer<ChannelCompletion>, waitNanoseconds: UInt64
  ) -> Int {
    reactor.turn(waitNanoseconds == 0 ? .none : .atMost(nanoseconds: waitNanoseconds))
    lanes.noteBatch()
    return 0
  }

  func failureDescription() -> String { lanes.lastFailure }
}
