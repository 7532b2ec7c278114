public import RingReactor
import Synchronization

/// Several addresses of one controller, of which one is used at a time: whoever owns it moves on to the next one when the
/// present one does not work.
public final class AlternatingTransport<Base: Transport>: Transport {
  private struct Shared {
    var transports: [Base] { didSet { Revision.mark() } }
  }

  private let shared: Mutex<Shared>

  public init(_ first: Base) { shared = Mutex(Shared(transports: [first])) }

  /// The one in use is the first.
  public var all: [Base] { shared.withLock { $0.transports } }

  public func append(_ transport: Base) { shared.withLock { $0.transports.append(transport) } }

  /// Takes those out that fit, but never the one in use.
  ///
  /// - Returns: how many.
  public func removeAlternates(where fits: (Base) -> Bool) -> Int {
    shared.withLock { shared in
      let before = shared.transports.count
      shared.transports = [shared.transports[0]] + shared.transports.dropFirst().filter { !fits($0) }
      return before - shared.transports.count
    }
  }

  /// From the next association on, the next address is used; the one in use becomes the last.
  public func advance() {
    shared.withLock { shared in
      if shared.transports.count > 1 { shared.transports.append(shared.transports.removeFirst()) }
    }
  }

  /// Drops the address in use for the next one.
  ///
  /// - Returns: false when there is no other.
  public func dropCurrent() -> Bool {
    shared.withLock { shared in
      if shared.transports.count > 1 { shared.transports.removeFirst() } else { return false }
      return true
    }
  }

  public var description: String { shared.withLock { $0.transports[0].description } }

  public func makeQueuePair(on reactor: Reactor, owner: ReactorSource, parameters: QueuePairParameters) -> QueuePair {
    let transport = shared.withLock { $0.transports[0] }
    return transport.makeQueuePair(on: reactor, owner: owner, parameters: parameters)
  }
}
