internal import NVMeProtocol
internal import RingReactor

/// The channel of a ``MemoryBlockDevice``.
final class MemoryChannel: BlockChannel {
  private let content: MemoryContent
  private var isRetired = false

  init(reactor: Reactor, queueDepth: Int, content: MemoryContent) {
    self.content = content
    super.init(reactor: reactor, queueDepth: queueDepth)
  }

  override var geometry: BlockGeometry { content.geometry }
  override var capabilities: BlockCapabilities { MemoryContent.capabilities }

  override func start(_ request: BlockRequest) {
    let isEqual = content.carryOut(request)
    finish(
      BlockCompletion(
        token: request.token, operation: request.operation, logicalBlockAddress: request.logicalBlockAddress,
        blockCount: request.blockCount, outcome: isEqual ? .success : .compareMismatch,
        status: isEqual ? .success : .compareFailure))
    // Turns must not sleep while something can be polled.
    markReady()
  }

  override func didClose() {
    guard !isRetired else { return }
    isRetired = true
    retire()
  }
}
