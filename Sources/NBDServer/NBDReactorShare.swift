internal import NBDProtocol
internal import RingReactor

/// What the connections on one reactor share, of whichever server they are; touched on its thread alone.
final class NBDReactorShare: @unchecked Sendable {
  let handle: ReactorHandle
  let pool: NBDBufferPool
  private var connections: [ObjectIdentifier: NBDConnection] = [:]
  private var latestLookNanoseconds: UInt64 = 0

  init(handle: ReactorHandle, pool: NBDBufferPool) {
    self.handle = handle
    self.pool = pool
  }

  func add(_ connection: NBDConnection) { connections[ObjectIdentifier(connection)] = connection }

  func remove(_ connection: NBDConnection) {
    connections[ObjectIdentifier(connection)] = nil
    // Nobody is there who would use them soon.
    if connections.isEmpty { pool.removeAll() }
  }

  /// Has the client whose turn it is try again for memory.
  @inline(never) func passTurn() {
    guard let client = pool.nextTurn() else { return }
    Unmanaged<NBDConnection>.fromOpaque(client)._withUnsafeGuaranteedRef { $0.markReady() }
  }

  /// Cuts off clients that keep memory which others wait for: over three looks they have neither sent nor fetched as much as
  /// they have borrowed, and it is not the device that they wait for.
  ///
  /// - Parameter period: between two looks, at least, in nanoseconds.
  func lookForIdleBorrowers(_ nowNanoseconds: UInt64, period: UInt64) {
    let elapsed = nowNanoseconds - latestLookNanoseconds
    guard elapsed >= period else { return }
    latestLookNanoseconds = nowNanoseconds
    // What was seen long ago says nothing about these days.
    let isFirst = elapsed >= 2 * period
    for connection in Array(connections.values) where connection.isIdleBorrower(isFirst: isFirst) {
      connection.closeAsIdleBorrower()
    }
  }
}
