/// One bit a block, and above each 64 of them one that says whether they are all set, and so on: a free block is found in
/// a few steps however few there are left. Allocated once.
struct BlockBitmap: ~Copyable {
  /// The words of a level: `count` of them from `start`. The last word's bits beyond the level's end are set.
  private struct Level {
    var start: Int
    var count: Int
    var bitCount: UInt64
  }

  let count: UInt64
  private(set) var freeCount: UInt64
  private let words: UnsafeMutableBufferPointer<UInt64>
  /// From the blocks up to a single word.
  private let levels: UnsafeMutableBufferPointer<Level>

  init(count: UInt64) {
    self.count = count
    freeCount = count
    var levels: [Level] = []
    var bitCount = count
    var start = 0
    while bitCount > 0 {
      let level = Level(start: start, count: Int((bitCount + 63) / 64), bitCount: bitCount)
      levels.append(level)
      start += level.count
      bitCount = level.count > 1 ? UInt64(level.count) : 0
    }
    self.levels = .allocate(capacity: levels.count)
    _ = self.levels.initialize(from: levels)
    words = .allocate(capacity: start)
    words.initialize(repeating: 0)
    clear()
  }

  deinit {
    words.deallocate()
    levels.deallocate()
  }

  mutating func clear() {
    words.update(repeating: 0)
    for level in levels where level.bitCount % 64 != 0 {
      words[level.start + level.count - 1] = UInt64.max << (level.bitCount % 64)
    }
    freeCount = count
  }

  func contains(_ block: UInt64) -> Bool {
    words[Int(block >> 6)] & (1 << (block & 63)) != 0
  }

  /// The first unset bit from `block` on, or from the beginning where there is none behind it. There is one.
  func firstFree(from block: UInt64) -> UInt64 {
    var height = 0
    var index = block
    while true {
      let level = levels[height]
      let word = Int(index >> 6)
      if word < level.count {
        let free = ~words[level.start + word] & (UInt64.max << (index & 63))
        if free != 0 {
          index = index & ~63 + UInt64(free.trailingZeroBitCount)
          break
        }
      }
      // Nothing in this word: the level above knows of the next one.
      index = index >> 6 + 1
      height += 1
      if height == levels.count {
        height -= 1
        index = 0
      }
    }
    while height > 0 {
      height -= 1
      index = index << 6 + UInt64((~words[levels[height].start + Int(index)]).trailingZeroBitCount)
    }
    return index
  }

  /// The number of unset bits from `first`, which is itself unset, up to `limit`.
  func freeRun(from first: UInt64, limit: UInt64) -> UInt64 {
    var length: UInt64 = 0
    while length < limit, first + length < count, !contains(first + length) { length += 1 }
    return length
  }

  /// Sets bits that are unset.
  mutating func insert(_ first: UInt64, length: UInt64) {
    freeCount -= length
    for block in first..<first + length {
      var index = block
      for level in levels {
        // Read, then written: the compiler's thread sanitizer fails on the subscript with |= (Swift 6.3.1).
        let word = level.start + Int(index >> 6)
        let value = words[word] | 1 << (index & 63)
        words[word] = value
        guard value == UInt64.max else { break }
        index >>= 6
      }
    }
  }
}
