internal import NVMeHost
internal import RingReactor

/// What a ``PathProbe`` is on its reactor: one deadline, then one read over a channel of its own, whose memory it keeps until
/// the read has ended.
final class PathProbeSource: ReactorSource {
  private let queueIdentifier: UInt16
  private let begin: @Sendable () -> NVMeBlockDevice?
  private let ended: @Sendable (Bool, UInt64) -> Void
  private var channel: BlockChannel?
  private var memory = UnsafeMutableRawBufferPointer(start: nil, count: 0)
  private var isCancelled = false
  private var isOver = false

  init(
    reactor: Reactor, queueIdentifier: UInt16, dueNanoseconds: UInt64,
    begin: @escaping @Sendable () -> NVMeBlockDevice?, ended: @escaping @Sendable (Bool, UInt64) -> Void
  ) {
    self.queueIdentifier = queueIdentifier
    self.begin = begin
    self.ended = ended
    super.init(reactor: reactor)
    reactor.setDeadline(dueNanoseconds, of: self)
  }

  deinit { memory.deallocate() }

  override func deadlineExpired() {
    guard let channel = try? begin()?.openChannel(on: reactor, queueDepth: 1, preferring: queueIdentifier) else {
      return end(isAnswered: false)
    }
    self.channel = channel
    memory = .allocate(byteCount: Int(channel.geometry.blockByteCount), alignment: 4096)
    channel.setObserver(self)
    if channel.submit(BlockRequest(.read, blockCount: 1, buffer: memory)) != .accepted { end(isAnswered: false) }
  }

  override func run() {
    guard let channel else { return }
    withUnsafeTemporaryAllocation(of: BlockCompletion.self, capacity: 1) { completions in
      if channel.poll(into: completions) > 0 { end(isAnswered: Self.isAnswer(completions[0])) }
    }
  }

  /// An error is an answer, too, unless it is about the path, or the host itself had the command aborted because there was
  /// none.
  private static func isAnswer(_ completion: BlockCompletion) -> Bool {
    switch completion.outcome {
    case .success: true
    case .deviceError:
      StatusClassification.disposition(of: completion.status) != .retryOnAnotherPath
        && completion.status.statusCodeType != .pathRelated && !completion.status.matches(.commandAbortRequested)
    default: false
    }
  }

  func cancel() {
    isCancelled = true
    if let channel { channel.close() } else { end(isAnswered: false) }
  }

  override func reactorIsEnding() { cancel() }

  private func end(isAnswered: Bool) {
    guard !isOver else { return }
    isOver = true
    channel?.setObserver(nil)
    channel?.close()
    channel = nil
    reactor.setDeadline(nil, of: self)
    retire()
    if !isCancelled { ended(isAnswered, nowNanoseconds) }
  }
}
