internal import BlockDevice

/// A job's way to a block device's `async` face: one task for each place of the queue depth, all on the job's own
/// reactor. What it measures is what a program written with `await` gets.
struct AsyncDeviceChannel: BenchmarkChannel, ~Copyable {
  /// What the job and the tasks share, all of it on the reactor's thread.
  private final class Lanes: @unchecked Sendable {
    let devices: [any BlockDevice]
    let depth: Int
    /// A lane's task waits in one of these, between I/Os: plain memory, so that the measuring stays cheap.
    let waiters: UnsafeMutablePointer<UnsafeContinuation<BlockRequest?, Never>?>
    let arrived: UnsafeMutablePointer<ChannelCompletion>
    let arrivedCount: UnsafeMutablePointer<Int>
    var runningTasks: Int
    var isEnding = false
    var lastFailure = ""

    init(devices: [any BlockDevice], depth: Int) {
      self.devices = devices
      self.depth = depth
      waiters = .allocate(capacity: depth)
      waiters.initialize(repeating: nil, count: depth)
      arrived = .allocate(capacity: depth)
      arrivedCount = .allocate(capacity: 1)
      arrivedCount.initialize(to: 0)
      runningTasks = depth
    }

    deinit {
      waiters.deinitialize(count: depth)
      waiters.deallocate()
      arrived.deallocate()
      arrivedCount.deallocate()
    }

    /// Hands a lane that waits its next I/O; nil ends it.
    func give(_ request: BlockRequest?, lane: Int) {
      guard let waiter = waiters[lane] else { return }
      waiters[lane] = nil
      waiter.resume(returning: request)
    }

    func report(_ completion: ChannelCompletion) {
      // At most one a lane: each waits until the job has taken its last one and given it another.
      arrived[arrivedCount.pointee] = completion
      arrivedCount.pointee += 1
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
      while !lanes.isEnding, let request = await withUnsafeContinuation({ lanes.waiters[lane] = $0 }) {
        var isSuccess = true
        do throws(BlockError) {
          try await device.perform(request)
        } catch {
          lanes.lastFailure = error.description
          isSuccess = false
        }
        lanes.report(ChannelCompletion(token: UInt32(truncatingIfNeeded: request.token), isSuccess: isSuccess))
      }
      lanes.runningTasks -= 1
    }
  }

  private let reactor: Reactor
  private let lanes: Lanes
  private let blockShift: UInt64

  /// The `async` faces of `devices` run on `reactor`; tasks belong to devices in turn.
  init(reactor: Reactor, devices: [any BlockDevice], blockByteCount: UInt32, depth: Int) {
    self.reactor = reactor
    blockShift = UInt64(blockByteCount.trailingZeroBitCount)
    let lanes = Lanes(devices: devices, depth: depth)
    self.lanes = lanes
    let program = Program(reactor: reactor.handle, lanes: lanes)
    for lane in 0..<depth {
      Task(executorPreference: reactor.handle) { await program.run(lane) }
    }
    while (0..<depth).contains(where: { lanes.waiters[$0] == nil }) { reactor.turn(.atMost(nanoseconds: 1_000_000)) }
  }

  deinit {
    lanes.isEnding = true
    for lane in 0..<lanes.depth { lanes.give(nil, lane: lane) }
    // Tasks with I/O that never came back are given up after a second.
    let lanes = lanes
    _ = reactor.turn(untilNanoseconds: MonotonicClock.nanoseconds() + 1_000_000_000) { lanes.runningTasks > 0 }
  }

  mutating func submit(_ command: ChannelCommand) -> ChannelSubmission {
    lanes.give(BlockDeviceChannel.request(command, blockShift: blockShift), lane: Int(command.token))
    return .accepted
  }

  mutating func poll(
    into completions: UnsafeMutableBufferPointer<ChannelCompletion>, waitNanoseconds: UInt64
  ) -> Int {
    // Tasks run at the beginning of a turn, and what they await is reaped at its end: only a turn that began with no
    // task ready to run may sleep.
    reactor.turn(.none)
    if lanes.arrivedCount.pointee == 0, waitNanoseconds > 0 {
      reactor.turn(.atMost(nanoseconds: waitNanoseconds))
      if lanes.arrivedCount.pointee == 0 { reactor.turn(.none) }
    }
    // The last ones first: their order does not matter, and what is left stays where it is.
    let count = min(lanes.arrivedCount.pointee, completions.count)
    lanes.arrivedCount.pointee -= count
    for index in 0..<count { completions[index] = lanes.arrived[lanes.arrivedCount.pointee + index] }
    return count
  }

  func failureDescription() -> String { lanes.lastFailure }
}
