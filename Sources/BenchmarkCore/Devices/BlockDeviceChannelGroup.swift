internal import BlockDevice

/// A job's way to several connections on its one reactor. A slot of the queue depth belongs to one connection for the whole
/// job, in turn, so that every connection has the same number of I/Os in flight.
struct BlockDeviceChannelGroup: BenchmarkChannel, ~Copyable {
  private let reactor: Reactor
  private let channels: UnsafeMutablePointer<BlockDeviceChannel>
  private let count: Int
  private var lastFailed = 0
  private var hasCompletions = false

  /// - Parameter make: makes the channel of a connection, numbered from 0.
  init(reactor: Reactor, count: Int, make: (Int) -> BlockDeviceChannel) {
    self.reactor = reactor
    self.count = count
    channels = .allocate(capacity: count)
    for index in 0..<count { (channels + index).initialize(to: make(index)) }
  }

  deinit {
    channels.deinitialize(count: count)
    channels.deallocate()
  }

  mutating func submit(_ command: ChannelCommand) -> ChannelSubmission {
    let index = Int(command.token % UInt32(truncatingIfNeeded: count))
    let result = channels[index].submit(command)
    if result == .refused { lastFailed = index }
    // Devices in memory are done already.
    if channels[index].hasCompletions { hasCompletions = true }
    return result
  }

  mutating func poll(
    into completions: UnsafeMutableBufferPointer<ChannelCompletion>, waitNanoseconds: UInt64
  ) -> Int {
    // What was submitted leaves with this turn, even if earlier I/O has ended already.
    reactor.turn(waitNanoseconds == 0 || hasCompletions ? .none : .atMost(nanoseconds: waitNanoseconds))
    // Every slot completes once before it is used again, so that there is room for all.
    var collected = 0
    var hasFailure = false
    for index in 0..<count where channels[index].hasCompletions {
      let first = collected
      collected += channels[index].collect(into: UnsafeMutableBufferPointer(rebasing: completions[collected...]))
      if !hasFailure, completions[first..<collected].contains(where: { !$0.isSuccess }) {
        lastFailed = index
        hasFailure = true
      }
    }
    hasCompletions = false
    return collected
  }

  func failureDescription() -> String { channels[lastFailed].failureDescription() }
}
