import Synchronization

/// Tells whether anything that controllers and devices publish has changed: one number for the whole process, which moves
/// on with every change of any of it.
///
/// Whoever guards such state marks a change while it still holds the lock, or behind the store where there is none.
/// Whoever derives something from state looks at the number first, then at the state: while the number is the same
/// afterwards, what was derived is up to date. Any thread may call.
package struct Revision: Sendable, Hashable {
  private static let latest = Atomic<UInt64>(0)

  private let number: UInt64

  /// What is read after this is no older.
  package static var current: Revision { Revision(number: latest.load(ordering: .acquiring)) }

  /// Something has changed, or is about to under a lock that is held.
  package static func mark() { latest.wrappingAdd(1, ordering: .releasing) }
}
