import Synchronization

/// A switch that several threads may look at.
final class Flag: Sendable {
  private let storage = Atomic<Bool>(false)

  var value: Bool {
    get { storage.load(ordering: .acquiring) }
    set { storage.store(newValue, ordering: .releasing) }
  }
}
