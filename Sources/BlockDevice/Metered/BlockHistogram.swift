internal import Synchronization

/// Latencies of a device's requests, counted in buckets. Any thread may count and read.
///
/// The layout is SPDK's (`spdk_histogram_data`): range 0 has the 2^granularity values from 0 on, one a bucket; range r has
/// as many buckets for the values of granularity + r bits.
public final class BlockHistogram: Sendable {
  public struct Configuration: Sendable, Hashable {
    /// The only operation that is counted; nil for all.
    public var operation: BlockOperation?
    /// A range has 2^granularity buckets, 1...13.
    public var granularity: UInt32
    /// The first and the last range: what lies outside is counted in the outermost buckets.
    public var firstRange: UInt32
    public var lastRange: UInt32

    /// - Parameters:
    ///   - granularity: 1...13
    ///   - minimumNanoseconds: the smallest latency that is told apart.
    ///   - maximumNanoseconds: the largest; 0 = no bound.
    /// - Returns: nil when the numbers make no sense.
    public init?(
      operation: BlockOperation? = nil, granularity: UInt32 = 7, minimumNanoseconds: UInt64 = 0,
      maximumNanoseconds: UInt64 = 0
    ) {
      guard (1...13).contains(granularity), maximumNanoseconds == 0 || minimumNanoseconds <= maximumNanoseconds else {
        return nil
      }
      self.operation = operation
      self.granularity = granularity
      firstRange = Self.range(of: minimumNanoseconds, granularity)
      lastRange = Self.range(of: maximumNanoseconds == 0 ? .max : maximumNanoseconds, granularity)
    }

    static func range(of value: UInt64, _ granularity: UInt32) -> UInt32 {
      let bits = UInt32(64 - value.leadingZeroBitCount)
      return bits > granularity ? bits - granularity : 0
    }

    /// Buckets in all.
    public var bucketCount: Int { Int(lastRange - firstRange + 1) << Int(granularity) }

    /// The bucket of a latency.
    public func bucket(of nanoseconds: UInt64) -> Int {
      let range = Self.range(of: nanoseconds, granularity)
      if range < firstRange { return 0 }
      if range > lastRange { return bucketCount - 1 }
      let shift = range == 0 ? 0 : range - 1
      let index = Int(nanoseconds >> UInt64(shift)) & ((1 << Int(granularity)) - 1)
      return Int(range - firstRange) << Int(granularity) + index
    }
  }

  public let configuration: Configuration
  private nonisolated(unsafe) let words: UnsafeMutablePointer<Atomic<UInt64>>

  public init(configuration: Configuration) {
    self.configuration = configuration
    words = .allocate(capacity: configuration.bucketCount)
    for index in 0..<configuration.bucketCount { (words + index).initialize(to: Atomic(0)) }
  }

  deinit {
    words.deinitialize(count: configuration.bucketCount)
    words.deallocate()
  }

  /// The counts, in the order of the buckets.
  public var counts: [UInt64] { (0..<configuration.bucketCount).map { words[$0].load(ordering: .relaxed) } }

  func count(_ operation: BlockOperation, latencyNanoseconds: UInt64) {
    if let only = configuration.operation, only != operation { return }
    words[configuration.bucket(of: latencyNanoseconds)].wrappingAdd(1, ordering: .relaxed)
  }
}
