/// A first-in first-out queue of small indices with a fixed capacity, allocated once.
struct IndexQueue: ~Copyable {
  let storage: UnsafeMutablePointer<UInt16>
  let mask: Int
  var head = 0
  var tail = 0

  /// - Parameter capacity: at least this many indices fit.
  init(capacity: Int) {
    var size = 1
    while size < capacity { size *= 2 }
    storage = .allocate(capacity: size)
    storage.initialize(repeating: 0, count: size)
    mask = size - 1
  }

  deinit { storage.deallocate() }

  var isEmpty: Bool { head == tail }
  var count: Int { tail &- head }

  mutating func append(_ index: UInt16) {
    assert(count <= mask)
    storage[tail & mask] = index
    tail &+= 1
  }

  mutating func popFirst() -> UInt16? {
    if head == tail { return nil }
    let index = storage[head & mask]
    head &+= 1
    return index
  }

  mutating func removeAll() {
    head = 0
    tail = 0
  }
}
