/// Seven counters over powers of two, as fio shows queue depths and batch sizes.
public struct DepthCounters: Sendable, Equatable {
  /// Of depths: 1, 2–3, 4–7, 8–15, 16–31, 32–63, 64 and more. Of batches: 0, 1–4, 5–8, 9–16, 17–32, 33–64, more.
  public private(set) var counts: InlineCounts = .init()

  public init() {}

  @inline(__always)
  public mutating func recordDepth(_ depth: Int) {
    guard depth > 0 else { return }
    counts[min(6, Int.bitWidth - 1 - depth.leadingZeroBitCount)] &+= 1
  }

  @inline(__always)
  public mutating func recordBatch(_ size: Int) {
    if size <= 0 {
      counts[0] &+= 1
    } else if size <= 4 {
      counts[1] &+= 1
    } else {
      counts[min(6, Int.bitWidth - 1 - (size - 1).leadingZeroBitCount)] &+= 1
    }
  }

  public mutating func add(_ other: DepthCounters) {
    for index in 0..<7 { counts[index] &+= other.counts[index] }
  }

  public var total: UInt64 { (0..<7).reduce(0) { $0 + counts[$1] } }
}
