internal import BlockExport
internal import RingReactor

/// A server's connections on one reactor; touched on its thread alone.
final class NBDWorker: @unchecked Sendable {
  /// What they share with those of other servers.
  let share: NBDReactorShare
  private var connections: [ObjectIdentifier: NBDConnection] = [:]
  private var whenEmpty: [@Sendable () -> Void] = []
  /// The server has stopped: whoever comes now is turned away.
  private(set) var isDraining = false

  init(share: NBDReactorShare) { self.share = share }

  var handle: ReactorHandle { share.handle }

  func add(_ connection: NBDConnection) {
    connections[ObjectIdentifier(connection)] = connection
    share.add(connection)
  }

  func remove(_ connection: NBDConnection) {
    connections[ObjectIdentifier(connection)] = nil
    share.remove(connection)
    guard connections.isEmpty else { return }
    for action in whenEmpty { action() }
    whenEmpty = []
  }

  /// Has all connections end in good order, and calls `whenDone` when they have.
  func drain(_ whenDone: @escaping @Sendable () -> Void) {
    isDraining = true
    if connections.isEmpty { return whenDone() }
    whenEmpty.append(whenDone)
    for connection in Array(connections.values) { connection.drain(.shutdown) }
  }
}
