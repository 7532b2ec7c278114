internal import RingReactor

/// The reactor's end of an ``AsyncFace``: one channel, and the continuations of the requests on it.
final class AsyncPort: ReactorSource {
  private let channel: BlockChannel
  private weak var face: AsyncFace?
  private var continuations: [UnsafeContinuation<BlockCompletion, Never>?]
  private var freeTokens: [UInt32]
  private var waiting: [AsyncFace.Request] = []
  private var waitingHead = 0
  private var arrived: [AsyncFace.Request] = []
  private let completions: UnsafeMutableBufferPointer<BlockCompletion>
  private var isClosing = false
  private var isRetired = false

  init(reactor: Reactor, channel: BlockChannel, face: AsyncFace) {
    self.channel = channel
    self.face = face
    continuations = Array(repeating: nil, count: channel.queueDepth)
    freeTokens = (0..<UInt32(channel.queueDepth)).reversed()
    completions = .allocate(capacity: 128)
    super.init(reactor: reactor)
    channel.setObserver(self)
  }

  deinit { completions.deallocate() }

  /// Takes a request, on the reactor's thread.
  func take(_ request: AsyncFace.Request) {
    if waitingHead < waiting.count || !submit(request) { waiting.append(request) }
  }

  private func submit(_ request: AsyncFace.Request) -> Bool {
    guard let token = freeTokens.popLast() else { return false }
    var toSubmit = request.request
    toSubmit.token = UInt64(token)
    // Before submitting: a device may be done at once.
    continuations[Int(token)] = request.continuation
    switch channel.submit(toSubmit) {
    case .accepted:
      return true
    case .busy:
      continuations[Int(token)] = nil
      freeTokens.append(token)
      return false
    case .refused:
      // Requests have been validated before they get here; the device may have changed or gone meanwhile.
      continuations[Int(token)] = nil
      freeTokens.append(token)
      request.continuation.resume(returning: .notSent(request.request))
      return true
    }
  }

  override func run() {
    while true {
      let count = channel.poll(into: completions)
      for index in 0..<count {
        let token = Int(completions[index].token)
        let continuation = continuations[token]
        continuations[token] = nil
        freeTokens.append(UInt32(token))
        continuation?.resume(returning: completions[index])
      }
      if count < completions.count { break }
    }
    face?.drain(into: &arrived)
    for request in arrived { take(request) }
    arrived.removeAll(keepingCapacity: true)
    while waitingHead < waiting.count, submit(waiting[waitingHead]) { waitingHead += 1 }
    if waitingHead == waiting.count {
      waiting.removeAll(keepingCapacity: true)
      waitingHead = 0
    }
    if channel.isClosed { close() }
  }

  /// Lets go of the channel once nothing is under way.
  func close() {
    isClosing = true
    guard !isRetired, freeTokens.count == continuations.count, waiting.isEmpty else { return }
    isRetired = true
    channel.setObserver(nil)
    channel.close()
    face?.portClosed()
    retire()
  }
}
