/// Draws the size of the next I/O.
public struct BlockSizePicker: Sendable {
  private let mix: BlockSizeMix
  /// Upper ends of the shares, scaled to 0..<2^32.
  private let ends: [UInt64]

  public init(_ mix: BlockSizeMix) {
    self.mix = mix
    if case .split(let shares) = mix {
      var sum = 0.0
      ends = shares.map { share in
        sum += share.percent
        return UInt64((sum / 100 * 4_294_967_296).rounded())
      }
    } else {
      ends = []
    }
  }

  @inline(__always)
  public func next(_ random: inout RandomGenerator) -> UInt32 {
    switch mix {
    case .fixed(let bytes):
      return bytes
    case .range(let range):
      let steps = range.upperBound / range.lowerBound
      return range.lowerBound * UInt32(1 + random.below(UInt64(steps)))
    case .split(let shares):
      let draw = random.next() >> 32
      for index in ends.indices where draw < ends[index] { return shares[index].bytes }
      return shares[shares.count - 1].bytes
    }
  }
}
