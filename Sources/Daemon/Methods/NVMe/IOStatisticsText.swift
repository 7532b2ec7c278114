internal import BlockDevice
internal import JSONRPC

/// Counts of I/O in the interface's words. A tick is a nanosecond.
enum IOStatisticsText {
  static func members(of statistics: BlockStatistics) -> JSONObject {
    let kinds: [(BlockOperation?, bytes: String, count: String, latency: String)] = [
      (.read, "bytes_read", "num_read_ops", "read_latency_ticks"),
      (.write, "bytes_written", "num_write_ops", "write_latency_ticks"),
      (.discard, "bytes_unmapped", "num_unmap_ops", "unmap_latency_ticks"),
      (nil, "bytes_copied", "num_copy_ops", "copy_latency_ticks"),
    ]
    var members = JSONObject()
    for kind in kinds {
      let operation = kind.0.map { statistics[$0] } ?? BlockStatistics.Operation()
      members[kind.bytes] = .integer(operation.byteCount)
      members[kind.count] = .integer(operation.count)
    }
    for kind in kinds {
      let operation = kind.0.map { statistics[$0] } ?? BlockStatistics.Operation()
      members[kind.latency] = .integer(operation.latencySumNanoseconds)
      members["max_\(kind.latency)"] = .integer(operation.maximumLatencyNanoseconds)
      members["min_\(kind.latency)"] = .integer(operation.minimumLatencyNanoseconds)
    }
    return members
  }
}
