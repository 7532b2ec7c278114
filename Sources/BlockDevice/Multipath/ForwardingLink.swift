internal import RingReactor

/// What lies between a ``ForwardingChannel`` and its ``ForwardingPort``, each of which only its own reactor's thread touches.
final class ForwardingLink: @unchecked Sendable {
  private let near: ReactorHandle
  private let far: ReactorHandle
  private weak var channel: ForwardingChannel?
  private weak var port: ForwardingPort?

  init(near: ReactorHandle, far: ReactorHandle) {
    self.near = near
    self.far = far
  }

  // MARK: On the near reactor

  func open(_ channel: ForwardingChannel, _ device: NVMeBlockDevice, association: UInt64, queueDepth: Int) {
    self.channel = channel
    far.post { reactor in
      // The reactor keeps it.
      let port = ForwardingPort(
        reactor: reactor, queueDepth: queueDepth, device: device, association: association, link: self)
      self.port = port
    }
  }

  /// - Returns: false when the far reactor is gone: the requests have gone nowhere.
  func forward(_ requests: [BlockRequest]) -> Bool {
    far.post { _ in
      if let port = self.port { port.take(requests) } else { self.answer(requests.map { .notSent($0) }) }
    }
  }

  func closePort() { far.post { _ in self.port?.close() } }

  // MARK: On the far reactor

  /// The near reactor takes it while it ends, too: the channel waits for it.
  func answer(_ completions: [BlockCompletion]) { near.answer { _ in self.channel?.take(completions) } }

  func closeChannel() { near.post { _ in self.channel?.close() } }
}
