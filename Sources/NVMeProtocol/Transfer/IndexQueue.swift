/// A first-in first-out queue of small indices with a fixed capacity, allocated once.
@frozen public struct IndexQueue: ~Copyable {
  @usableFromInline let storage: UnsafeMutablePointer<UInt16>
  @usableFromInline let mask: Int
  @usableFromInline var head = 0
  @usableFromInline var tail = 0

  /// - Parameter capacity: at least this many indices fit.
  @inlinable public init(capacity: Int) {
    var size = 1
    while size < capacity { size *= 2 }
    storage = .allocate(capacity: size)
    storage.initialize(repeating: 0, count: size)
    mask = size - 1
  }

  @inlinable deinit { storage.deallocate() }

  @inlinable public var isEmpty: Bool { head == tail }
  @inlinable public var count: Int { tail &- head }

  /// Puts an index at the end. More than the capacity is the caller's mistake.
  @inlinable public mutating func append(_ index: UInt16) {
    assert(count <= mask)
    storage[tail & mask] = index
    tail &+= 1
  }

  /// Puts an index before all others.
  @inlinable public mutating func prepend(_ index: UInt16) {
    assert(count <= mask)
    head &-= 1
    storage[head & mask] = index
  }

  @inlinable public var first: UInt16? { head == tail ? nil : storage[head & mask] }

  @inlinable public mutating func popFirst() -> UInt16? {
    if head == tail { return nil }
    let index = storage[head & mask]
    head &+= 1
    return index
  }

  @inlinable public func forEach(_ body: (UInt16) -> Void) {
    for position in 0..<count { body(storage[(head &+ position) & mask]) }
  }

  @inlinable public mutating func removeAll() {
    head = 0
    tail = 0
  }
}
