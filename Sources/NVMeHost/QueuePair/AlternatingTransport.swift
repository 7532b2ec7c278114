public import RingReactor
import Synchronization

/// Several addresses of one controller, of which one is used at a time: whoever owns it moves on to the next one when the
/// present one does not work.
public final class AlternatingTransport<Base: Transport>: Transport {
  private let transports: Mutex<[Base]>

  public init(_ first: Base) { transports = Mutex([first]) }

  /// The one in use is the first.
  public var all: [Base] { transports.withLock { $0 } }

  public func append(_ transport: Base) { transports.withLock { $0.append(transport) } }

  /// Takes those out that fit, but never the one in use.
  ///
  /// - Returns: how many.
  public func removeAlternates(where fits: (Base) -> Bool) -> Int {
    transports.withLock { transports in
      let before = transports.count
      transports = [transports[0]] + transports.dropFirst().filter { !fits($0) }
      return before - transports.count
    }
  }

  /// From the next association on, the next address is used; the one in use becomes the last.
  public func advance() {
    transports.withLock { transports in
      if transports.count > 1 { transports.append(transports.removeFirst()) }
    }
  }

  /// Drops the address in use for the next one.
  ///
  /// - Returns: false when there is no other.
  public func dropCurrent() -> Bool {
    transports.withLock { transports in
      if transports.count > 1 { transports.removeFirst() } else { return false }
      return true
    }
  }

  public var description: String { transports.withLock { $0[0].description } }

  public func makeQueuePair(on reactor: Reactor, owner: ReactorSource, parameters: QueuePairParameters) -> QueuePair {
    let transport = transports.withLock { $0[0] }
    return transport.makeQueuePair(on: reactor, owner: owner, parameters: parameters)
  }
}
