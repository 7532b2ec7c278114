internal import BlockDevice

/// A block device whose `async` face runs on a reactor of the caller's choice: each job's own.
final class ReactorView: BlockDevice {
  private let base: any BlockDevice
  let asyncFace: AsyncFace

  init(_ base: any BlockDevice, reactor: ReactorHandle) {
    self.base = base
    asyncFace = AsyncFace(reactor: reactor)
  }

  var name: String { base.name }
  var geometry: BlockGeometry { base.geometry }
  var capabilities: BlockCapabilities { base.capabilities }
  var reactor: ReactorHandle { asyncFace.reactor }

  func openChannel(on reactor: Reactor, queueDepth: Int) throws(BlockRefusal) -> BlockChannel {
    try base.openChannel(on: reactor, queueDepth: queueDepth)
  }
}
