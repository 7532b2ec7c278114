internal import BlockDevice
internal import Synchronization

/// Keeps one channel busy at its full depth with the submit/poll face, on the channel's reactor: writes every block of
/// a range in a shuffled order, reads all of it back, and compares.
final class ChannelLoad: ReactorSource {
  struct Plan: Sendable {
    var queueDepth: Int
    /// The range's first block.
    var start: UInt64
    var requestCount: Int
    var blocksPerRequest: Int
    var seed: UInt64
    /// Whether the range is written first; else whatever is there is read twice and must be the same.
    var writes: Bool
  }

  private enum Phase {
    case first
    case second
  }

  /// Lets loads begin when all of them have their channels: one that had ended before another began would leave its
  /// queue to that one, and a queue would see nothing.
  private final class Start: Sendable {
    private struct State {
      var missing: Int
      var waiting: [(ReactorHandle, SourceIdentifier)] = []
    }

    private let state: Mutex<State>

    init(count: Int) { state = Mutex(State(missing: count)) }

    /// Called once for each load; one that could not be opened has nothing to wake.
    func arrive(_ load: ChannelLoad?) {
      let waiting = state.withLock { state in
        state.missing -= 1
        if let load { state.waiting.append((load.reactor.handle, load.identifier)) }
        return state.missing == 0 ? state.waiting : []
      }
      for (handle, load) in waiting { handle.wake(load) }
    }
  }

  private let channel: BlockChannel
  private let plan: Plan
  private let byteCount: Int
  private var phase = Phase.first
  private var nextRequest = 0
  private var freeBuffers: [Int]
  private let buffers: [Buffer]
  /// By request.
  private var checksums: [UInt32]
  private var failure: (any Error)?
  /// The most requests that were outstanding at once.
  private var highWater = 0
  private var continuation: UnsafeContinuation<Int, any Error>?
  private let completions: UnsafeMutableBufferPointer<BlockCompletion>

  private init(channel: BlockChannel, plan: Plan, continuation: UnsafeContinuation<Int, any Error>) {
    self.channel = channel
    self.plan = plan
    self.continuation = continuation
    byteCount = plan.blocksPerRequest * Int(channel.geometry.blockByteCount)
    buffers = (0..<plan.queueDepth).map { [byteCount] _ in Buffer(byteCount: byteCount) }
    freeBuffers = Array(0..<plan.queueDepth)
    checksums = Array(repeating: 0, count: plan.requestCount)
    completions = .allocate(capacity: 64)
    super.init(reactor: channel.reactor)
    channel.setObserver(self)
  }

  deinit { completions.deallocate() }

  /// Runs loads at the same time, each on a channel of its own, all of which are open before the first load begins.
  /// - Returns: the most requests that were outstanding at once, of each.
  @discardableResult
  static func run(_ plans: [Plan], on device: any BlockDevice, reactors: [ReactorHandle]) async throws -> [Int] {
    let start = Start(count: plans.count)
    return try await withThrowingTaskGroup(of: Int.self) { group in
      for (index, plan) in plans.enumerated() {
        let reactor = reactors[index % reactors.count]
        group.addTask {
          try await withUnsafeThrowingContinuation { continuation in
            let isPosted = reactor.post { reactor in
              do {
                let channel = try device.openChannel(on: reactor, queueDepth: plan.queueDepth)
                start.arrive(ChannelLoad(channel: channel, plan: plan, continuation: continuation))
              } catch {
                start.arrive(nil)
                continuation.resume(throwing: error)
              }
            }
            if !isPosted {
              start.arrive(nil)
              continuation.resume(throwing: ReactorGone())
            }
          }
        }
      }
      return try await group.reduce(into: []) { $0.append($1) }
    }
  }

  override func run() {
    while true {
      let count = channel.poll(into: completions)
      for index in 0..<count { take(completions[index]) }
      if count < completions.count { break }
    }
    submit()
    guard channel.outstandingCount == 0 else { return }
    if failure == nil, phase == .first {
      phase = .second
      nextRequest = 0
      submit()
      return
    }
    channel.setObserver(nil)
    channel.close()
    if let failure { continuation?.resume(throwing: failure) } else { continuation?.resume(returning: highWater) }
    continuation = nil
    retire()
  }

  private func submit() {
    while failure == nil, nextRequest < plan.requestCount, let index = freeBuffers.popLast() {
      let request = shuffled(nextRequest)
      let isWrite = phase == .first && plan.writes
      if isWrite {
        buffers[index].fill(seed: plan.seed &+ UInt64(request))
        checksums[request] = buffers[index].crc32c
      }
      let answer = channel.submit(
        BlockRequest(
          isWrite ? .write : .read,
          logicalBlockAddress: plan.start + UInt64(request) * UInt64(plan.blocksPerRequest),
          blockCount: UInt32(plan.blocksPerRequest), buffer: buffers[index].bytes,
          token: UInt64(request) << 32 | UInt64(index)))
      switch answer {
      case .accepted:
        nextRequest += 1
        highWater = max(highWater, channel.outstandingCount)
      case .busy:
        freeBuffers.append(index)
        return
      case .refused(let refusal):
        failure = ConformanceFailure("request \(request) was refused: \(refusal)")
      }
    }
  }

  private func take(_ completion: BlockCompletion) {
    let index = Int(completion.token & 0xFFFF_FFFF)
    let request = Int(completion.token >> 32)
    freeBuffers.append(index)
    guard failure == nil else { return }
    if let error = completion.error(device: "the namespace") {
      failure = error
      return
    }
    if completion.operation == .write { return }
    if phase == .first {
      checksums[request] = buffers[index].crc32c
    } else if buffers[index].crc32c != checksums[request] {
      failure = ConformanceFailure(
        "blocks \(completion.logicalBlockAddress)…, \(completion.blockCount) of them, read back differently")
    }
  }

  /// A permutation of the requests: neighbours in time are far apart on the device.
  private func shuffled(_ number: Int) -> Int {
    var step = max(1, Int(Double(plan.requestCount) * 0.618))
    while Self.greatestCommonDivisor(step, plan.requestCount) != 1 { step += 1 }
    return (number * step + (phase == .second ? 7 : 0)) % plan.requestCount
  }

  private static func greatestCommonDivisor(_ first: Int, _ second: Int) -> Int {
    second == 0 ? first : greatestCommonDivisor(second, first % second)
  }
}
