/// Who wants to be told the news of something, in the order in which they came. It lies under its owner's lock; the owner
/// tells them without it.
package struct ObserverTable<News>: Sendable {
  package typealias Observer = @Sendable (News) -> Void

  private var entries: [(identifier: UInt64, observer: Observer)] = []
  private var lastIdentifier: UInt64 = 0

  package init() {}

  package var all: [Observer] { entries.map(\.observer) }

  /// - Returns: what ``remove(_:)`` takes.
  package mutating func add(_ observer: @escaping Observer) -> UInt64 {
    lastIdentifier += 1
    entries.append((lastIdentifier, observer))
    return lastIdentifier
  }

  package mutating func remove(_ identifier: UInt64) { entries.removeAll { $0.identifier == identifier } }
}
