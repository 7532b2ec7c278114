/// Completes everything at the next poll.
struct NullChannel: BenchmarkChannel, ~Copyable {
  private let tokens: UnsafeMutablePointer<UInt32>
  private let depth: Int
  private var count = 0

  init(depth: Int) {
    self.depth = depth
    tokens = .allocate(capacity: depth)
  }

  deinit { tokens.deallocate() }

  mutating func submit(_ command: ChannelCommand) -> ChannelSubmission {
    guard count < depth else { return .busy }
    tokens[count] = command.token
    count += 1
    return .accepted
  }

  mutating func poll(
    into completions: UnsafeMutableBufferPointer<ChannelCompletion>, waitNanoseconds: UInt64
  ) -> Int {
    let result = min(count, completions.count)
    for index in 0..<result { completions[index] = ChannelCompletion(token: tokens[index], isSuccess: true) }
    if count == 0, waitNanoseconds > 0 { SystemClock().sleep(nanoseconds: waitNanoseconds) }
    count = 0
    return result
  }

  func failureDescription() -> String { "" }
}
