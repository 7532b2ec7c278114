internal import RingReactor

/// Zeroes in memory that a command asks for, done in pieces: the reactor sees to others in between.
struct MemoryZeroing {
  /// What takes a fraction of a millisecond, be it stored or given back to the system. A piece may have thrice as many.
  static let pieceByteCount = 1 << 20

  /// The command's.
  let slot: Int
  let generation: UInt16
  /// Bytes of the region, the last to be done first.
  private var ranges: [Range<Int>]

  init(slot: Int, generation: UInt16, ranges: [Range<Int>]) {
    self.slot = slot
    self.generation = generation
    self.ranges = ranges
  }

  /// Does a piece of it.
  ///
  /// - Returns: whether that was all.
  mutating func advance(in region: MemoryRegion) -> Bool {
    var left = Self.pieceByteCount
    while left > 0, let range = ranges.popLast() {
      let end = Self.endOfPiece(range)
      region.zero(offset: range.lowerBound, byteCount: end - range.lowerBound)
      if end < range.upperBound { ranges.append(end..<range.upperBound) }
      left -= end - range.lowerBound
    }
    return ranges.isEmpty
  }

  /// Pieces meet where pages do, and none is short: what is short would be stored instead of given back.
  private static func endOfPiece(_ range: Range<Int>) -> Int {
    let end = (range.lowerBound + 2 * pieceByteCount) & ~(pieceByteCount - 1)
    return range.upperBound - end < pieceByteCount ? range.upperBound : end
  }
}
