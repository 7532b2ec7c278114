/// Which units a job has written, how often, and which are in flight: four bytes a unit, allocated once.
struct WriteLedger: ~Copyable {
  private static let inFlight: UInt32 = 1 << 31
  /// A write has failed and none has succeeded since: what the unit holds is anybody's guess.
  private static let unknown: UInt32 = 1 << 30
  private static let generationMask: UInt32 = unknown - 1

  /// 1 GiB of memory.
  static let maximumUnits: UInt64 = 1 << 28

  private let entries: UnsafeMutableBufferPointer<UInt32>
  private let start: UInt64
  let unit: UInt64
  let count: Int

  /// `count` is at most `maximumUnits`.
  init(region: BlockRegion, unit: UInt32) {
    start = region.start
    self.unit = UInt64(unit)
    count = Int((region.byteCount + self.unit - 1) / self.unit)
    entries = .allocate(capacity: count)
    entries.initialize(repeating: 0)
  }

  deinit { entries.deallocate() }

  func index(of offset: UInt64) -> Int { Int((offset - start) / unit) }
  func offset(of index: Int) -> UInt64 { start + UInt64(index) * unit }

  private func indices(_ offset: UInt64, _ byteCount: UInt32) -> Range<Int> {
    let first = index(of: offset)
    return first..<min(count, first + Int((UInt64(byteCount) + unit - 1) / unit))
  }

  /// Whether a unit of the range is being written or read back: a second I/O there would leave its content open.
  func isBusy(_ offset: UInt64, _ byteCount: UInt32) -> Bool {
    for index in indices(offset, byteCount) where entries[index] & Self.inFlight != 0 { return true }
    return false
  }

  /// The number of the write that a unit should hold; 0 is none, or unknown after a failure.
  func generation(at index: Int) -> UInt32 {
    entries[index] & Self.unknown == 0 ? entries[index] & Self.generationMask : 0
  }

  /// The number of the write of a unit that was begun last. Failed writes count: a number is never given out twice,
  /// so what an earlier write left is not taken for a later one that was lost.
  func latestGeneration(at index: Int) -> UInt32 { entries[index] & Self.generationMask }

  mutating func beginWrite(_ offset: UInt64, _ byteCount: UInt32) {
    for index in indices(offset, byteCount) {
      let next = (entries[index] & Self.generationMask) + 1
      // After 2^30 writes of one unit the count starts over; 0 stays "not written".
      entries[index] =
        (next > Self.generationMask ? 1 : next) | Self.inFlight | (entries[index] & Self.unknown)
    }
  }

  /// Takes `beginWrite` back: nothing was sent.
  mutating func cancelWrite(_ offset: UInt64, _ byteCount: UInt32) {
    for index in indices(offset, byteCount) {
      let generation = entries[index] & Self.generationMask
      entries[index] = (generation > 0 ? generation - 1 : 0) | (entries[index] & Self.unknown)
    }
  }

  mutating func beginRead(_ offset: UInt64, _ byteCount: UInt32) {
    // Read, then written: the compiler's thread sanitizer fails on the subscript with |= (Swift 6.3.1).
    for index in indices(offset, byteCount) { entries[index] = entries[index] | Self.inFlight }
  }

  mutating func endRead(_ offset: UInt64, _ byteCount: UInt32) {
    for index in indices(offset, byteCount) { entries[index] = entries[index] & ~Self.inFlight }
  }

  /// The write succeeded.
  mutating func endWrite(_ offset: UInt64, _ byteCount: UInt32) {
    for index in indices(offset, byteCount) { entries[index] = entries[index] & Self.generationMask }
  }

  /// The write failed: what the units hold is unknown.
  mutating func forget(_ offset: UInt64, _ byteCount: UInt32) {
    for index in indices(offset, byteCount) {
      entries[index] = entries[index] & Self.generationMask | Self.unknown
    }
  }

  /// The next run of written units from `index` on, at most `limit` units long; nil when there is none.
  func nextWritten(from index: Int, limit: Int) -> Range<Int>? {
    var first = index
    while first < count, generation(at: first) == 0 { first += 1 }
    guard first < count else { return nil }
    var end = first + 1
    while end < count, end - first < limit, generation(at: end) != 0 { end += 1 }
    return first..<end
  }
}
