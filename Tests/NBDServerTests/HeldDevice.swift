import BlockDevice
import Synchronization

/// A device whose requests end when the test says so: in the meantime it looks now and then whether their memory is still
/// there, by writing to it.
final class HeldDevice: BlockDevice {
  let name = "held"
  let asyncFace: AsyncFace
  var reactor: ReactorHandle { asyncFace.reactor }
  private let state = Mutex(State())
  var capabilities: BlockCapabilities { [.write, .volatileWriteCache, .forceUnitAccess, .discard] }
  var geometry: BlockGeometry { BlockGeometry(blockByteCount: 512, blockCount: state.withLock { $0.blockCount }) }

  private struct State {
    var blockCount: UInt64 = 1 << 20
    var held: [BlockOperation] = []
    var isGone = false
  }

  /// Touched on the reactor's thread alone.
  private nonisolated(unsafe) var channels: [HeldChannel] = []

  init(reactor: ReactorHandle) { asyncFace = AsyncFace(reactor: reactor) }

  func openChannel(on reactor: Reactor, queueDepth: Int) throws(BlockRefusal) -> BlockChannel {
    if state.withLock({ $0.isGone }) { throw .closed }
    let channel = HeldChannel(reactor: reactor, queueDepth: queueDepth, device: self)
    channels.append(channel)
    return channel
  }

  /// Requests that have not been let go.
  var heldCount: Int { held.count }
  /// What they are, in the order of coming.
  var held: [BlockOperation] { state.withLock { $0.held } }
  func note(_ operation: BlockOperation) { state.withLock { $0.held.append(operation) } }
  func noteReleased(_ count: Int) { state.withLock { $0.held.removeFirst(count) } }
  func resize(blockCount: UInt64) { state.withLock { $0.blockCount = blockCount } }

  /// Ends all requests.
  func release(_ outcome: BlockOutcome = .success) async throws {
    try await reactor.perform { _ in for channel in self.channels { channel.release(outcome) } }
  }

  /// The device is no more; its requests fail.
  func vanish() async throws {
    state.withLock { $0.isGone = true }
    try await reactor.perform { _ in
      for channel in self.channels {
        channel.release(.connectionLost)
        channel.close()
      }
      self.channels = []
    }
  }
}

final class HeldChannel: BlockChannel {
  private let device: HeldDevice
  private var held: [BlockRequest] = []
  private var isRetired = false

  init(reactor: Reactor, queueDepth: Int, device: HeldDevice) {
    self.device = device
    super.init(reactor: reactor, queueDepth: queueDepth)
  }

  override var geometry: BlockGeometry { device.geometry }
  override var capabilities: BlockCapabilities { device.capabilities }

  override func start(_ request: BlockRequest) {
    held.append(request)
    device.note(request.operation)
  }

  func release(_ outcome: BlockOutcome) {
    for request in held {
      request.forEachPiece { base, count in base.initializeMemory(as: UInt8.self, repeating: 0x77, count: count) }
      finish(
        BlockCompletion(
          token: request.token, operation: request.operation, logicalBlockAddress: request.logicalBlockAddress,
          blockCount: request.blockCount, outcome: outcome, status: .success))
    }
    device.noteReleased(held.count)
    held = []
    if isClosed { didClose() }
  }

  override func didClose() {
    guard !isRetired, held.isEmpty else { return }
    isRetired = true
    retire()
  }
}
