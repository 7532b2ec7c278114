/// A permutation of 0..<count in constant memory: every block once, in an order that looks random.
///
/// fio remembers visited blocks in a bitmap; a keyed Feistel network needs no memory at all, has no slow end of a pass
/// when free blocks get rare, and is reproducible from its key. The network permutes a power of two that is less than
/// twice `count`; values beyond `count` are permuted again ("cycle walking"), fewer than one extra step on average.
@frozen public struct BlockPermutation: Sendable {
  public let count: UInt64
  @usableFromInline let leftBits: UInt64
  @usableFromInline let leftMask: UInt64
  @usableFromInline let rightMask: UInt64
  @usableFromInline let key0: UInt64
  @usableFromInline let key1: UInt64
  @usableFromInline let key2: UInt64

  /// `count` is at least 1.
  public init(count: UInt64, key: UInt64) {
    precondition(count > 0, "a permutation of nothing")
    self.count = count
    let bits = max(2, UInt64(64 - (count - 1).leadingZeroBitCount))
    leftBits = bits / 2
    leftMask = (1 << leftBits) - 1
    rightMask = bits - leftBits == 64 ? UInt64.max : (1 << (bits - leftBits)) - 1
    var state = key
    key0 = RandomGenerator.splitMix(&state)
    key1 = RandomGenerator.splitMix(&state)
    key2 = RandomGenerator.splitMix(&state)
  }

  @inlinable
  static func mix(_ value: UInt64, _ key: UInt64) -> UInt64 {
    var z = (value ^ key) &* 0xff51_afd7_ed55_8ccd
    z ^= z >> 32
    z = z &* 0xc4ce_b9fe_1a85_ec53
    return z >> 29
  }

  /// The block at place `index`, which is below `count`.
  @inlinable
  public subscript(index: UInt64) -> UInt64 {
    var value = index
    repeat {
      var left = value & leftMask
      var right = value >> leftBits
      left ^= Self.mix(right, key0) & leftMask
      right ^= Self.mix(left, key1) & rightMask
      left ^= Self.mix(right, key2) & leftMask
      right ^= Self.mix(left, key0 &+ key1) & rightMask
      value = (right << leftBits) | left
    } while value >= count
    return value
  }
}
