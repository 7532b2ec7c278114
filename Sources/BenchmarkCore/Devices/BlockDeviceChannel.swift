internal import BlockDevice

/// A job's way to a block device's submit/poll face: its channel and the reactor that moves it.
struct BlockDeviceChannel: BenchmarkChannel, ~Copyable {
  private let reactor: Reactor
  private let channel: BlockChannel
  private let deviceName: String
  private let blockShift: UInt64
  private let arrived: UnsafeMutableBufferPointer<BlockCompletion>
  private var lastFailure = ""

  init(reactor: Reactor, channel: BlockChannel, deviceName: String, blockByteCount: UInt32) {
    self.reactor = reactor
    self.channel = channel
    self.deviceName = deviceName
    blockShift = UInt64(blockByteCount.trailingZeroBitCount)
    arrived = .allocate(capacity: channel.queueDepth)
  }

  deinit { arrived.deallocate() }

  @inline(__always)
  static func request(_ command: ChannelCommand, blockShift: UInt64) -> BlockRequest {
    let operation: BlockOperation
    switch command.operation {
    case .read: operation = .read
    case .write: operation = .write
    case .trim: operation = .discard
    case .flush: operation = .flush
    }
    return BlockRequest(
      operation, logicalBlockAddress: command.offset >> blockShift,
      blockCount: UInt32(truncatingIfNeeded: UInt64(command.byteCount) >> blockShift),
      buffer: operation.hasData
        ? UnsafeMutableRawBufferPointer(start: command.buffer, count: Int(command.byteCount))
        : UnsafeMutableRawBufferPointer(start: nil, count: 0),
      options: command.forceUnitAccess ? .forceUnitAccess : [], token: UInt64(command.token))
  }

  mutating func submit(_ command: ChannelCommand) -> ChannelSubmission {
    let request = Self.request(command, blockShift: blockShift)
    switch channel.submit(request) {
    case .accepted: return .accepted
    case .busy: return .busy
    case .refused(let refusal):
      lastFailure =
        BlockError(
          device: deviceName, operation: request.operation, logicalBlockAddress: request.logicalBlockAddress,
          blockCount: request.blockCount, cause: .refused(refusal)
        ).description
      return .refused
    }
  }

  mutating func poll(
    into completions: UnsafeMutableBufferPointer<ChannelCompletion>, waitNanoseconds: UInt64
  ) -> Int {
    // What was submitted leaves with this turn, even if earlier I/O has ended already.
    reactor.turn(waitNanoseconds == 0 || hasCompletions ? .none : .atMost(nanoseconds: waitNanoseconds))
    return collect(into: completions)
  }

  var hasCompletions: Bool {
    @inline(__always) get { channel.hasCompletions }
  }

  /// Completions that have come, without a turn of the reactor.
  @inline(__always)
  mutating func collect(into completions: UnsafeMutableBufferPointer<ChannelCompletion>) -> Int {
    let count = channel.poll(
      into: UnsafeMutableBufferPointer(rebasing: arrived[..<min(arrived.count, completions.count)]))
    // Of several failures the job tells of the first one: the description has to be of that.
    var hasFailure = false
    for index in 0..<count {
      let isSuccess = arrived[index].isSuccess
      if !isSuccess, !hasFailure {
        noteFailure(arrived[index])
        hasFailure = true
      }
      completions[index] = ChannelCompletion(
        token: UInt32(truncatingIfNeeded: arrived[index].token), isSuccess: isSuccess)
    }
    return count
  }

  @inline(never)
  private mutating func noteFailure(_ completion: BlockCompletion) {
    lastFailure = completion.error(device: deviceName)?.description ?? ""
  }

  func failureDescription() -> String { lastFailure }
}
