public import RingReactor
internal import NBDProtocol
internal import Synchronization

/// What NBD clients may have of a process, over all servers that it was given to: memory for their requests, and connections.
///
/// Each client has a little memory for itself (``NBDTransmissionConfiguration/ownMemoryByteCount``); beyond that clients on a
/// reactor share its part of ``NBDBudgetConfiguration/memoryByteCount``, and wait in their sockets when all of it is lent.
/// Nothing of that leaves the reactor.
///
/// Any thread may call.
public final class NBDBudget: Sendable {
  public let configuration: NBDBudgetConfiguration
  let shares: [NBDReactorShare]
  private let liveConnectionCount = Atomic<Int>(0)

  /// - Parameter reactors: at least one; those of the servers.
  public init(reactors: [ReactorHandle], configuration: NBDBudgetConfiguration = NBDBudgetConfiguration()) {
    precondition(!reactors.isEmpty, "a server needs a reactor")
    self.configuration = configuration
    shares = reactors.map {
      NBDReactorShare(
        handle: $0,
        pool: NBDBufferPool(
          maximumKeptByteCount: configuration.keptBufferByteCount,
          maximumBorrowedByteCount: configuration.memoryByteCount / reactors.count))
    }
  }

  /// Connections of all servers.
  public var connectionCount: Int { liveConnectionCount.load(ordering: .relaxed) }

  /// Bytes of buffers that requests have, on all reactors.
  public func lentByteCount() async throws -> Int {
    var sum = 0
    for share in shares { sum += try await share.handle.perform { _ in share.pool.lentByteCount } }
    return sum
  }

  /// Takes a place for a connection. False when all are taken.
  func takePlace() -> Bool {
    let count = liveConnectionCount.add(1, ordering: .relaxed).newValue
    if count > configuration.maximumConnectionCount { givePlace() }
    return count <= configuration.maximumConnectionCount
  }

  func givePlace() { liveConnectionCount.subtract(1, ordering: .relaxed) }
}
