internal import BlockExport
internal import NBDProtocol
internal import RingReactor

/// What the connections on one reactor share; touched on its thread alone.
final class NBDWorker: @unchecked Sendable {
  let handle: ReactorHandle
  let pool: NBDBufferPool
  private var connections: [ObjectIdentifier: NBDConnection] = [:]
  private var whenEmpty: [@Sendable () -> Void] = []

  init(handle: ReactorHandle, keptBufferByteCount: Int) {
    self.handle = handle
    pool = NBDBufferPool(maximumKeptByteCount: keptBufferByteCount)
  }

  var connectionCount: Int { connections.count }

  func add(_ connection: NBDConnection) { connections[ObjectIdentifier(connection)] = connection }

  func remove(_ connection: NBDConnection) {
    connections[ObjectIdentifier(connection)] = nil
    guard connections.isEmpty else { return }
    // Nobody is there who would use them soon.
    pool.removeAll()
    for action in whenEmpty { action() }
    whenEmpty = []
  }

  /// Has all connections end in good order, and calls `whenDone` when they have.
  func drain(_ whenDone: @escaping @Sendable () -> Void) {
    if connections.isEmpty { return whenDone() }
    whenEmpty.append(whenDone)
    for connection in Array(connections.values) { connection.drain(.shutdown) }
  }
}
