internal import RingReactor

/// The reactor's end of an ``AsyncFace``: one channel, and the continuations of the requests on it.
final class AsyncPort: ReactorSource {
  typealias Continuation = UnsafeContinuation<BlockCompletion, Never>

  private let channel: BlockChannel
  private let inbox: AsyncInbox
  /// One a token; initialized while the token is in use. Plain memory, as the free tokens: arrays would have their
  /// uniqueness and exclusive access checked at each I/O.
  private let continuations: UnsafeMutablePointer<Continuation>
  private let freeTokens: UnsafeMutablePointer<UInt32>
  private let freeCount: UnsafeMutablePointer<Int>
  private let completions: UnsafeMutableBufferPointer<BlockCompletion>
  private let depth: Int
  private var waiting: [AsyncInbox.Request] = []
  private var waitingHead = 0
  private var arrived: [AsyncInbox.Request] = []
  private var isRetired = false

  init(reactor: Reactor, channel: BlockChannel, inbox: AsyncInbox) {
    self.channel = channel
    self.inbox = inbox
    depth = channel.queueDepth
    continuations = .allocate(capacity: depth)
    freeTokens = .allocate(capacity: depth)
    for position in 0..<depth { freeTokens[position] = UInt32(depth - 1 - position) }
    freeCount = .allocate(capacity: 1)
    freeCount.initialize(to: depth)
    completions = .allocate(capacity: 128)
    super.init(reactor: reactor)
    channel.setObserver(self)
  }

  deinit {
    continuations.deallocate()
    freeTokens.deallocate()
    freeCount.deallocate()
    completions.deallocate()
  }

  /// Takes a request, on the reactor's thread.
  func take(_ request: BlockRequest, _ continuation: Continuation) {
    if waitingHead < waiting.count || !submit(request, continuation) {
      waiting.append(AsyncInbox.Request(request: request, continuation: continuation))
    }
  }

  private func submit(_ request: BlockRequest, _ continuation: Continuation) -> Bool {
    guard freeCount.pointee > 0 else { return false }
    freeCount.pointee -= 1
    let token = freeTokens[freeCount.pointee]
    // Before submitting: a device may be done at once.
    (continuations + Int(token)).initialize(to: continuation)
    var toSubmit = request
    toSubmit.token = UInt64(token)
    switch channel.submit(toSubmit) {
    case .accepted:
      return true
    case .busy:
      _ = release(token)
      return false
    case .refused(let refusal):
      // Requests have been validated before they get here; the device may have changed or gone meanwhile.
      inbox.channelRefused(refusal)
      release(token).resume(returning: .notSent(request))
      return true
    }
  }

  private func release(_ token: UInt32) -> Continuation {
    freeTokens[freeCount.pointee] = token
    freeCount.pointee += 1
    return (continuations + Int(token)).move()
  }

  override func run() {
    while true {
      let count = channel.poll(into: completions)
      for index in 0..<count {
        release(UInt32(truncatingIfNeeded: completions[index].token)).resume(returning: completions[index])
      }
      if count < completions.count { break }
    }
    inbox.drain(into: &arrived)
    if !arrived.isEmpty {
      for request in arrived { take(request.request, request.continuation) }
      arrived.removeAll(keepingCapacity: true)
    }
    if !waiting.isEmpty { submitWaiting() }
    if channel.isClosed { close() }
  }

  private func submitWaiting() {
    while waitingHead < waiting.count, submit(waiting[waitingHead].request, waiting[waitingHead].continuation) {
      waitingHead += 1
    }
    if waitingHead == waiting.count {
      waiting.removeAll(keepingCapacity: true)
      waitingHead = 0
    }
  }

  /// Lets go of the channel once nothing is under way.
  func close() {
    guard !isRetired, freeCount.pointee == depth, waiting.isEmpty else { return }
    isRetired = true
    channel.setObserver(nil)
    channel.close()
    inbox.portClosed()
    retire()
  }
}
