internal import RingReactor

/// The far end of a ``ForwardingChannel``: a channel on a reactor that has a queue of the controller.
final class ForwardingPort: ReactorSource {
  private let link: ForwardingLink
  /// Nil where there is no queue here any more.
  private let channel: BlockChannel?
  private let completions: UnsafeMutableBufferPointer<BlockCompletion>
  private var ended: [BlockCompletion] = []
  private var isRetired = false

  init(reactor: Reactor, queueDepth: Int, device: NVMeBlockDevice, link: ForwardingLink) {
    self.link = link
    channel = try? device.openChannel(on: reactor, queueDepth: queueDepth)
    completions = .allocate(capacity: 64)
    super.init(reactor: reactor)
    channel?.setObserver(self)
  }

  deinit { completions.deallocate() }

  func take(_ requests: [BlockRequest]) {
    for request in requests {
      // As deep as the near end, hence never busy.
      let submission = channel?.submit(request) ?? .refused(.closed)
      if submission != .accepted { ended.append(.refused(request, submission)) }
    }
    if !ended.isEmpty { markReady() }
  }

  override func run() {
    while let channel, channel.hasCompletions {
      ended.append(contentsOf: completions[..<channel.poll(into: completions)])
    }
    if !ended.isEmpty {
      link.answer(ended)
      ended.removeAll(keepingCapacity: true)
    }
    guard channel?.isClosed != false else { return }
    link.closeChannel()
    retireIfDone()
  }

  func close() {
    channel?.close()
    markReady()
  }

  private func retireIfDone() {
    guard !isRetired, channel?.outstandingCount ?? 0 == 0 else { return }
    isRetired = true
    channel?.setObserver(nil)
    retire()
  }
}
