/// fio's coarse table of completion latencies: ten steps each below a microsecond and a millisecond, twelve above.
public struct LatencyTable: Sendable, Equatable {
  /// Upper ends, not included, of the buckets of each unit.
  public static let steps: [UInt64] = [2, 4, 10, 20, 50, 100, 250, 500, 750, 1000]
  public static let millisecondSteps: [UInt64] = steps + [2000]

  /// Ten counters for nanoseconds, ten for microseconds, twelve for milliseconds (the last for 2 s and more).
  public private(set) var counts = [UInt64](repeating: 0, count: 32)

  public init() {}

  @inline(__always)
  public mutating func record(_ nanoseconds: UInt64) {
    let index: Int
    if nanoseconds < 1000 {
      index = Self.step(nanoseconds)
    } else if nanoseconds < 1_000_000 {
      index = 10 + Self.step(nanoseconds / 1000)
    } else {
      let milliseconds = nanoseconds / 1_000_000
      index = milliseconds < 1000 ? 20 + Self.step(milliseconds) : milliseconds < 2000 ? 30 : 31
    }
    counts[index] &+= 1
  }

  @inline(__always)
  private static func step(_ value: UInt64) -> Int {
    if value < 50 { return value < 4 ? (value < 2 ? 0 : 1) : value < 10 ? 2 : value < 20 ? 3 : 4 }
    if value < 250 { return value < 100 ? 5 : 6 }
    return value < 500 ? 7 : value < 750 ? 8 : 9
  }

  public mutating func add(_ other: LatencyTable) {
    for index in counts.indices { counts[index] &+= other.counts[index] }
  }

  func detachedCopy() -> LatencyTable {
    var copy = LatencyTable()
    copy.add(self)
    return copy
  }

  public var nanosecondCounts: ArraySlice<UInt64> { counts[0..<10] }
  public var microsecondCounts: ArraySlice<UInt64> { counts[10..<20] }
  public var millisecondCounts: ArraySlice<UInt64> { counts[20..<32] }
}
