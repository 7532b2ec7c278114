/// What has been done to a block device, or through one channel of it.
public struct BlockStatistics: Sendable, Hashable {
  /// Of one kind of operation. Failed requests count among the errors alone.
  public struct Operation: Sendable, Hashable {
    /// Requests that ended well.
    public var count: UInt64 = 0
    /// Bytes of the blocks they were about.
    public var byteCount: UInt64 = 0
    /// From `submit` to the end, what rate limits hold back included; the sum over all requests.
    public var latencySumNanoseconds: UInt64 = 0
    /// 0 while there was no request.
    public var minimumLatencyNanoseconds: UInt64 = 0
    public var maximumLatencyNanoseconds: UInt64 = 0

    public init() {}

    mutating func add(_ other: Operation) {
      if other.count > 0 || other.maximumLatencyNanoseconds > 0 {
        let isFirst = maximumLatencyNanoseconds == 0 && minimumLatencyNanoseconds == 0
        minimumLatencyNanoseconds =
          isFirst ? other.minimumLatencyNanoseconds : min(minimumLatencyNanoseconds, other.minimumLatencyNanoseconds)
        maximumLatencyNanoseconds = max(maximumLatencyNanoseconds, other.maximumLatencyNanoseconds)
      }
      count &+= other.count
      byteCount &+= other.byteCount
      latencySumNanoseconds &+= other.latencySumNanoseconds
    }

    /// Takes off what had been counted up to a reset; the extremes are reset by themselves.
    mutating func subtract(_ other: Operation) {
      count &-= other.count
      byteCount &-= other.byteCount
      latencySumNanoseconds &-= other.latencySumNanoseconds
    }
  }

  /// How a request failed.
  public struct Failure: Sendable, Hashable {
    public var outcome: BlockOutcome
    /// Status code type and status code as ``StatusField`` has them, without its flags; an `errno` for
    /// ``BlockOutcome/systemError``.
    public var status: UInt16

    public init(outcome: BlockOutcome, status: UInt16) {
      self.outcome = outcome
      self.status = status
    }
  }

  /// What ``MeteredBlockDevice/resetStatistics(_:)`` sets back.
  public enum Reset: Sendable, Hashable, CaseIterable {
    case all
    /// The smallest and the largest latencies alone.
    case extremes
    /// The counts of failures alone.
    case failures
  }

  private var operations = [Operation](repeating: Operation(), count: BlockOperation.allCases.count)
  public var failures: [Failure: UInt64] = [:]
  /// Requests that have not ended.
  public var outstandingCount: UInt64 = 0
  /// Requests that rate limits have held back.
  public var heldCount: UInt64 = 0

  public init() {}

  public subscript(operation: BlockOperation) -> Operation {
    get { operations[Int(operation.rawValue)] }
    set { operations[Int(operation.rawValue)] = newValue }
  }

  mutating func resetExtremes() {
    for operation in BlockOperation.allCases {
      self[operation].minimumLatencyNanoseconds = 0
      self[operation].maximumLatencyNanoseconds = 0
    }
  }

  /// Both together.
  public mutating func add(_ other: BlockStatistics) {
    for operation in BlockOperation.allCases { self[operation].add(other[operation]) }
    failures.merge(other.failures) { $0 &+ $1 }
    outstandingCount &+= other.outstandingCount
    heldCount &+= other.heldCount
  }
}
