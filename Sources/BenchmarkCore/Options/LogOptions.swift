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

  public init() {}

  public var isWanted: Bool { latencyPrefix != nil || bandwidthPrefix != nil || iopsPrefix != nil }
}
