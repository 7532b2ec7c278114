/// fio's latency histogram: exact up to 127 ns, then 64 buckets for each power of two, so that a value is known to
/// within 1/64. Its buckets are what json+ shows as `bins` and what fio's tools expect.
///
/// Recording touches one counter and never allocates.
public struct LatencyHistogram: Sendable, Equatable {
  static let bucketBits = 6
  static let bucketsPerGroup = 1 << bucketBits
  static let groupCount = 29
  /// Counters in all; values from about 17 s on share the last one.
  public static let bucketCount = groupCount * bucketsPerGroup

  public private(set) var counts: [UInt64]
  public private(set) var total: UInt64 = 0

  public init() {
    counts = [UInt64](repeating: 0, count: Self.bucketCount)
  }

  /// The counter for a value in nanoseconds.
  @inline(__always)
  static func index(of value: UInt64) -> Int {
    guard value >= UInt64(2 * bucketsPerGroup) else { return Int(value) }
    let highestBit = 63 - value.leadingZeroBitCount
    // Bits below the seven significant ones are dropped.
    let dropped = highestBit - bucketBits
    let index = (dropped + 1) * bucketsPerGroup + Int((value >> UInt64(dropped)) & UInt64(bucketsPerGroup - 1))
    return min(index, bucketCount - 1)
  }

  /// The middle of the values that share a counter, in nanoseconds.
  static func value(at index: Int) -> UInt64 {
    guard index >= 2 * bucketsPerGroup else { return UInt64(index) }
    let dropped = UInt64(index / bucketsPerGroup - 1)
    let base = UInt64(bucketsPerGroup) << dropped
    let offset = UInt64(index % bucketsPerGroup) << dropped
    return base + offset + (1 << dropped) / 2
  }

  @inline(__always)
  public mutating func record(_ nanoseconds: UInt64) {
    counts[Self.index(of: nanoseconds)] &+= 1
    total &+= 1
  }

  public mutating func reset() {
    for index in counts.indices { counts[index] = 0 }
    total = 0
  }

  public mutating func add(_ other: LatencyHistogram) {
    for index in counts.indices { counts[index] &+= other.counts[index] }
    total &+= other.total
  }

  /// A copy with its own storage, so that the original is not copied by its next write.
  func detachedCopy() -> LatencyHistogram {
    var copy = LatencyHistogram()
    copy.add(self)
    return copy
  }

  /// For each percentage (ascending, above 0 up to 100) the value at or below which that share of the samples lies.
  /// Empty without samples.
  public func percentiles(_ list: [Double]) -> [(percent: Double, nanoseconds: UInt64)] {
    guard total > 0 else { return [] }
    var result: [(percent: Double, nanoseconds: UInt64)] = []
    var sum: UInt64 = 0
    var next = 0
    for index in counts.indices where counts[index] > 0 {
      sum += counts[index]
      while next < list.count, Double(sum) >= list[next] / 100 * Double(total) {
        result.append((list[next], Self.value(at: index)))
        next += 1
      }
    }
    return result
  }

  /// Buckets that hold samples, ascending.
  public var bins: [(nanoseconds: UInt64, count: UInt64)] {
    counts.indices.lazy.filter { self.counts[$0] > 0 }.map { (Self.value(at: $0), self.counts[$0]) }
  }
}
