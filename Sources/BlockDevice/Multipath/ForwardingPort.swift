internal import RingReactor

/// The far end of a ``ForwardingChannel``: a channel on a reactor that has a queue of the controller.
final class ForwardingPort: ReactorSource {
  private let link: ForwardingLink
  /// Nil where there is no queue here any more.
  private let channel: BlockChannel?
  private let association: UInt64
  private let completions: UnsafeMutableBufferPointer<BlockCompletion>
  private var ended: [BlockCompletion] = []
  private var isRetired = false

  init(reactor: Reactor, queueDepth: Int, device: NVMeBlockDevice, association: UInt64, link: ForwardingLink) {
    self.link = link
    self.association = association
    channel = try? device.openChannel(on: reactor, queueDepth: queueDepth)
    completions = .allocate(capacity: 64)
    super.init(reactor: reactor)
    channel?.setObserver(self)
  }

  deinit { completions.deallocate() }

  func take(_ requests: [BlockRequest]) {
    for request in requests {
      // The news that the connection has been lost and made again may not have come to the near end yet: what goes now would
      // be taken for lost with the one before, and sent again while this one still executes it.
      guard (channel as? NVMeChannel)?.queueAssociation == association else {
        ended.append(.notSent(request))
        continue
      }
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
