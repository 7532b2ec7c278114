import BlockDevice
import NVMeProtocol
import RingReactor

/// A device whose requests end when the test says so.
final class ManualDevice: BlockDevice {
  let name = "manual"
  /// On the test's thread only.
  nonisolated(unsafe) var geometry = BlockGeometry(blockByteCount: 4096, blockCount: 1 << 20)
  let capabilities: BlockCapabilities = [.write, .discard, .writeZeroes, .compare]
  let asyncFace: AsyncFace
  var reactor: ReactorHandle { asyncFace.reactor }
  /// On the test's thread only.
  nonisolated(unsafe) var channels: [ManualChannel] = []

  init(reactor: ReactorHandle) { asyncFace = AsyncFace(reactor: reactor) }

  func openChannel(on reactor: Reactor, queueDepth: Int) throws(BlockRefusal) -> BlockChannel {
    let channel = ManualChannel(reactor: reactor, queueDepth: queueDepth, device: self)
    channels.append(channel)
    return channel
  }
}

final class ManualChannel: BlockChannel {
  private unowned let device: ManualDevice
  private(set) var requests: [BlockRequest] = []

  init(reactor: Reactor, queueDepth: Int, device: ManualDevice) {
    self.device = device
    super.init(reactor: reactor, queueDepth: queueDepth)
  }

  override var geometry: BlockGeometry { device.geometry }
  override var capabilities: BlockCapabilities { device.capabilities }
  override func start(_ request: BlockRequest) { requests.append(request) }

  func endFirst(_ outcome: BlockOutcome = .success, _ status: StatusField = .success) {
    let request = requests.removeFirst()
    finish(
      BlockCompletion(
        token: request.token, operation: request.operation, logicalBlockAddress: request.logicalBlockAddress,
        blockCount: request.blockCount, outcome: outcome, status: status))
  }

  override func didClose() { retire() }
}
