/// fio's logs: of what, where they go, and what is in them.
public struct LogOptions: Sendable, Equatable {
  /// What the names of the files begin with; nil: there is no such log.
  public var latencyPrefix: String?
  public var bandwidthPrefix: String?
  public var iopsPrefix: String?
  /// Length of a window in nanoseconds, of which a log has one entry for each direction; 0: one for each I/O.
  public var window: UInt64 = 0
  /// Of a window's latencies the longest instead of the mean.
  public var showsLongest = false
  public var showsOffsets = false
  public var histogramPrefix: String?
  /// Length of a histogram's window in nanoseconds; 0: the log stays empty, as with fio.
  public var histogramWindow: UInt64 = 0
  /// Each step puts two buckets together.
  public var histogramCoarseness = 0

  public init() {}

  /// Whether there is any log.
  public var isWanted: Bool { hasEntries || histogramPrefix != nil }

  /// Whether there is one of I/Os, or windows of them.
  public var hasEntries: Bool { latencyPrefix != nil || bandwidthPrefix != nil || iopsPrefix != nil }
}
