internal import RingReactor

/// The channel of a path whose controller has no I/O queue on this reactor, as after a reconnect that got fewer queues than
/// before: its requests are carried out on another reactor that has one, and come back from there. A turn's requests and
/// answers travel in one message each; it is this that makes such a path slower than others.
final class ForwardingChannel: BlockChannel {
  private let device: NVMeBlockDevice
  private let link: ForwardingLink
  private var outgoing: [BlockRequest] = []
  /// Requests that have not been answered.
  private var underWayCount = 0
  private var isRetired = false

  /// - Parameters:
  ///   - association: the controller's, in which requests are to be carried out, and in no other one: whoever submits them
  ///     has this one's loss in view. A later one has another channel.
  ///   - far: the reactor of one of the controller's I/O queues.
  init(
    reactor: Reactor, queueDepth: Int, device: NVMeBlockDevice, association: UInt64, far: ReactorHandle
  ) {
    self.device = device
    link = ForwardingLink(near: reactor.handle, far: far)
    super.init(reactor: reactor, queueDepth: queueDepth)
    link.open(self, device, association: association, queueDepth: queueDepth)
  }

  override var geometry: BlockGeometry { device.geometry }
  override var capabilities: BlockCapabilities { device.capabilities }

  override func start(_ request: BlockRequest) {
    outgoing.append(request)
    underWayCount += 1
    markDirty()
  }

  override func flush() {
    guard !outgoing.isEmpty else { return }
    let requests = outgoing
    outgoing.removeAll(keepingCapacity: true)
    if !link.forward(requests) { take(requests.map { .notSent($0) }) }
  }

  /// Requests that have ended.
  func take(_ completions: [BlockCompletion]) {
    underWayCount -= completions.count
    for completion in completions { finish(completion) }
    retireIfDone()
  }

  override func didClose() {
    flush()
    link.closePort()
    retireIfDone()
  }

  /// The other reactor's sockets receive into these requests' memory.
  override var awaitsAnswers: Bool { underWayCount > 0 }

  private func retireIfDone() {
    guard isClosed, !isRetired, underWayCount == 0 else { return }
    isRetired = true
    retire()
  }
}
