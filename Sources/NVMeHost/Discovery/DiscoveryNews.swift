internal import RingReactor
import Synchronization

/// What a ``DiscoveryDriver`` has found out, for every thread to read, and whoever wants to be told.
final class DiscoveryNews: Sendable {
  private struct Shared {
    var snapshot = PersistentDiscovery.Snapshot()
    var observers = ObserverTable<DiscoveryEvent>()
    var waiters: [UInt64: UnsafeContinuation<DiscoveryError?, Never>] = [:]
    var nextWaiter: UInt64 = 0
    /// What ``PersistentDiscovery/ready()`` waits for; nil while it is open.
    var outcome: DiscoveryError??
  }

  private let shared = Mutex(Shared())

  var snapshot: PersistentDiscovery.Snapshot { shared.withLock { $0.snapshot } }

  func publish(_ snapshot: PersistentDiscovery.Snapshot) { shared.withLock { $0.snapshot = snapshot } }

  func addObserver(_ observer: @escaping @Sendable (DiscoveryEvent) -> Void) -> UInt64 {
    shared.withLock { $0.observers.add(observer) }
  }

  func removeObserver(_ identifier: UInt64) { shared.withLock { $0.observers.remove(identifier) } }

  func tell(_ event: DiscoveryEvent) {
    for observer in shared.withLock({ $0.observers.all }) { observer(event) }
  }

  /// The first log has been read, or it will not come to that. Only the first outcome counts.
  func settle(_ error: DiscoveryError?) {
    let waiters = shared.withLock { shared -> [UInt64: UnsafeContinuation<DiscoveryError?, Never>] in
      guard shared.outcome == nil else { return [:] }
      shared.outcome = .some(error)
      defer { shared.waiters = [:] }
      return shared.waiters
    }
    for waiter in waiters.values { waiter.resume(returning: error) }
  }

  /// A task that is cancelled waits no longer.
  func outcome() async -> DiscoveryError? {
    let identifier = shared.withLock { shared in
      shared.nextWaiter += 1
      return shared.nextWaiter
    }
    return await withTaskCancellationHandler {
      await withUnsafeContinuation { (continuation: UnsafeContinuation<DiscoveryError?, Never>) in
        let outcome: DiscoveryError?? = shared.withLock { shared in
          if let outcome = shared.outcome { return .some(outcome) }
          // The handler may have been here already.
          if Task.isCancelled { return .some(.controller(.cancelled)) }
          shared.waiters[identifier] = continuation
          return nil
        }
        if let outcome { continuation.resume(returning: outcome) }
      }
    } onCancel: {
      shared.withLock { $0.waiters.removeValue(forKey: identifier) }?.resume(returning: .controller(.cancelled))
    }
  }
}
