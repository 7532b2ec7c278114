/// Into which pieces a stream is cut: made from two bytes of the input, so that the rest of it is what is said.
struct PieceSizes {
  private var state: UInt32
  private let shift: UInt32

  /// - Parameter seed: 0 is in one piece.
  init(seed: UInt8) {
    state = UInt32(seed) &* 0x9E37_79B9
    // From single bytes to more than a record.
    shift = seed == 0 ? 0 : 17 + UInt32(seed) % 15
  }

  mutating func next() -> Int {
    guard shift > 0 else { return .max }
    state = state &* 1_664_525 &+ 1_013_904_223
    return Int(state >> shift) + 1
  }
}
