/// A bounded queue of places on the device, allocated once. When it is full the oldest entry gives way.
struct BlockRing: ~Copyable {
  struct Entry {
    var offset: UInt64
    var byteCount: UInt32
  }

  private let entries: UnsafeMutablePointer<Entry>
  private let capacity: Int
  private var head = 0
  private(set) var count = 0

  init(capacity: Int) {
    self.capacity = max(1, capacity)
    entries = .allocate(capacity: self.capacity)
    entries.initialize(repeating: Entry(offset: 0, byteCount: 0), count: self.capacity)
  }

  deinit { entries.deallocate() }

  mutating func append(_ entry: Entry) {
    if count == capacity {
      head = (head + 1) % capacity
      count -= 1
    }
    entries[(head + count) % capacity] = entry
    count += 1
  }

  mutating func popFirst() -> Entry? {
    guard count > 0 else { return nil }
    let entry = entries[head]
    head = (head + 1) % capacity
    count -= 1
    return entry
  }
}
