/// One bit a block, allocated once.
struct BlockBitmap: ~Copyable {
  private let words: UnsafeMutableBufferPointer<UInt64>
  let count: UInt64

  init(count: UInt64) {
    self.count = count
    words = .allocate(capacity: Int((count + 63) / 64))
    words.initialize(repeating: 0)
  }

  deinit { words.deallocate() }

  mutating func clear() {
    words.update(repeating: 0)
  }

  func contains(_ block: UInt64) -> Bool {
    words[Int(block >> 6)] & (1 << (block & 63)) != 0
  }

  /// The number of unset bits from `first`, which is itself unset, up to `limit`.
  func freeRun(from first: UInt64, limit: UInt64) -> UInt64 {
    var length: UInt64 = 0
    while length < limit, first + length < count, !contains(first + length) { length += 1 }
    return length
  }

  mutating func insert(_ first: UInt64, length: UInt64) {
    for block in first..<first + length {
      // Read, then written: the compiler's thread sanitizer fails on the subscript with |= (Swift 6.3.1).
      let word = Int(block >> 6)
      words[word] = words[word] | 1 << (block & 63)
    }
  }
}
