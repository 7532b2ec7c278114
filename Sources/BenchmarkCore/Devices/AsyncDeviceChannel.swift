internal import BlockDevice

/// A job's way to a block device's `async` face: one task for each place of the queue depth, all on the job's own
/// reactor. What it measures is what a program written with `await` gets.
struct AsyncDeviceChannel: BenchmarkChannel, ~Copyable {
  /// Everything here is touched on the reactor's thread alone: the job submits and polls there, and the tasks prefer the
  /// reactor as their executor.
  private final class Lanes: @unchecked Sendable {
    let devices: [any BlockDevice]
    var commands: [BlockRequest?]
    var waiters: [UnsafeContinuation<BlockRequest?, Never>?]
    var arrived: [BlockCompletion] = []
    var runningTasks = 0
    var isEnding = false

    init(devices: [any BlockDevice], depth: Int) {
      self.devices = devices
      commands = Array(repeating: nil, count: depth)
      waiters = Array(repeating: nil, count: depth)
      arrived.reserveCapacity(depth)
    }

    func give(_ request: BlockRequest, lane: Int) {
      if let waiter = waiters[lane] {
        waiters[lane] = nil
        waiter.resume(returning: request)
      } else {
        commands[lane] = request
      }
    }

    func next(_ lane: Int) async -> BlockRequest? {
      if let request = commands[lane] {
        commands[lane] = nil
        return request
      }
      if isEnding { return nil }
      return await withUnsafeContinuation { waiters[lane] = $0 }
    }

    func run(_ lane: Int) async {
      let device = devices[lane % devices.count]
      while let request = await next(lane) {
        let completion: BlockCompletion
        do throws(BlockError) {
          try await device.perform(request)
          completion = BlockCompletion(
            token: request.token, operation: request.operation, logicalBlockAddress: request.logicalBlockAddress,
            blockCount: request.blockCount, outcome: .success, status: .success)
        } catch {
          lastFailure = error.description
          completion = BlockCompletion(
            token: request.token, operation: request.operation, logicalBlockAddress: request.logicalBlockAddress,
            blockCount: request.blockCount, outcome: .deviceError, status: error.status ?? .success)
        }
        arrived.append(completion)
      }
      runningTasks -= 1
    }

    var lastFailure = ""
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
    lanes.runningTasks = depth
    for lane in 0..<depth {
      Task(executorPreference: reactor.handle) { await lanes.run(lane) }
    }
    while lanes.waiters.contains(where: { $0 == nil }) { reactor.turn(.atMost(nanoseconds: 1_000_000)) }
  }

  deinit {
    lanes.isEnding = true
    for lane in lanes.waiters.indices {
      lanes.waiters[lane]?.resume(returning: nil)
      lanes.waiters[lane] = nil
    }
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
    if lanes.arrived.isEmpty, waitNanoseconds > 0 {
      reactor.turn(.atMost(nanoseconds: waitNanoseconds))
      if lanes.arrived.isEmpty { reactor.turn(.none) }
    }
    let count = min(lanes.arrived.count, completions.count)
    for index in 0..<count {
      completions[index] = ChannelCompletion(
        token: UInt32(truncatingIfNeeded: lanes.arrived[index].token), isSuccess: lanes.arrived[index].isSuccess)
    }
    lanes.arrived.removeFirst(count)
    return count
  }

  func failureDescription() -> String { lanes.lastFailure }
}
