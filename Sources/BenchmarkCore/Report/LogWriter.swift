internal import ToolOutput

/// Writes a job's logs as fio does: files PREFIX_bw.N.log, PREFIX_iops.N.log, and PREFIX_lat.N.log with _slat and _clat,
/// N being the job's number from 1. A line is
///
///     milliseconds since the job's start, value, direction, block size, [offset,] 0
///
/// and of PREFIX_clat_hist.N.log
///
///     milliseconds since the job's start, direction, block size, I/Os in the first bin, in the second, …
///
/// The value is in KiB/s, I/Os (of a window: a second) or nanoseconds; the direction 0, 1 or 2 for reads, writes and
/// trims. Of a window the block size is 0. The last number is the priority that nothing has here.
struct LogWriter {
  private enum Kind: String {
    case bandwidth = "bw"
    case iops
    case submission = "slat"
    case completion = "clat"
    case total = "lat"
  }

  private let options: LogOptions
  private let files: [(kind: Kind, path: String)]
  private let histogramPath: String?

  /// - Parameter number: the job's, over all jobs of the run, from 0.
  init(_ options: JobOptions, number: Int) {
    let log = options.log
    self.options = log
    var kinds: [(Kind, String)] = []
    if let prefix = log.bandwidthPrefix { kinds.append((.bandwidth, prefix)) }
    if let prefix = log.iopsPrefix { kinds.append((.iops, prefix)) }
    if let prefix = log.latencyPrefix {
      if options.measuresSubmission { kinds.append((.submission, prefix)) }
      if options.measuresCompletion { kinds.append((.completion, prefix)) }
      if options.measuresTotal { kinds.append((.total, prefix)) }
    }
    files = kinds.map { ($0, "\($1)_\($0.rawValue).\(number + 1).log") }
    histogramPath = log.histogramPrefix.map { "\($0)_clat_hist.\(number + 1).log" }
  }

  /// Makes the files, and empties those that are there: whether they can be written is to be known before the job.
  func prepare() throws(OutputError) {
    for path in files.map(\.path) + [histogramPath].compactMap(\.self) { _ = try OutputFile(path: path) }
  }

  func write(_ outcome: JobOutcome) throws(OutputError) {
    if let log = outcome.log {
      for (kind, path) in files { try write(kind, of: log, to: OutputFile(path: path)) }
    }
    if let log = outcome.histogramLog, let histogramPath {
      try write(log, to: OutputFile(path: histogramPath))
    }
  }

  private func write(_ log: HistogramLog, to file: OutputFile) throws(OutputError) {
    var text = Text()
    var bins = [UInt64](repeating: 0, count: LatencyHistogram.bucketCount >> options.histogramCoarseness)
    for window in log.windows {
      for index in bins.indices { bins[index] = 0 }
      for (bucket, count) in window.counts { bins[Int(bucket) >> options.histogramCoarseness] += count }
      text.line(window.milliseconds, window.direction, window.byteCount, bins)
      try text.flush(to: file, whenLongerThan: Text.pieceLength)
    }
    try text.flush(to: file, whenLongerThan: 0)
  }

  private func write(_ kind: Kind, of log: IOLog, to file: OutputFile) throws(OutputError) {
    var text = Text()
    if options.window > 0 {
      for window in log.windows {
        guard let value = Self.value(kind, window) else { continue }
        text.line(window.milliseconds, value, window.direction, 0, options.showsOffsets ? 0 : nil)
        try text.flush(to: file, whenLongerThan: Text.pieceLength)
      }
    } else {
      try log.forEachEntry { entry throws(OutputError) in
        text.line(
          entry.milliseconds, Self.value(kind, entry), entry.direction, entry.byteCount,
          options.showsOffsets ? entry.offset : nil)
        try text.flush(to: file, whenLongerThan: Text.pieceLength)
      }
    }
    try text.flush(to: file, whenLongerThan: 0)
  }

  /// nil for latencies of a window in which nothing ended.
  private static func value(_ kind: Kind, _ window: IOLog.Window) -> UInt64? {
    switch kind {
    case .bandwidth: window.kibibytesPerSecond
    case .iops: window.operationsPerSecond
    case .submission: window.operations > 0 ? window.submission : nil
    case .completion: window.operations > 0 ? window.completion : nil
    case .total: window.operations > 0 ? window.total : nil
    }
  }

  private static func value(_ kind: Kind, _ entry: IOLog.Entry) -> UInt64 {
    switch kind {
    case .bandwidth:
      Formatting.whole(Double(entry.byteCount) / 1024 * 1e9 / Double(max(1, entry.total)))
    case .iops: 1
    case .submission: entry.submission
    case .completion: entry.total - entry.submission
    case .total: entry.total
    }
  }

  /// Lines that wait to be written. There may be millions of them: numbers are put down figure by figure.
  private struct Text {
    static let pieceLength = 1 << 18

    private var bytes: [UInt8] = []

    mutating func line(
      _ milliseconds: UInt32, _ value: UInt64, _ direction: DataDirection, _ byteCount: UInt32, _ offset: UInt64?
    ) {
      add(UInt64(milliseconds))
      for number in [value, UInt64(direction.rawValue), UInt64(byteCount)] { separate(number) }
      if let offset { separate(offset) }
      separate(0)
      bytes.append(UInt8(ascii: "\n"))
    }

    mutating func line(
      _ milliseconds: UInt32, _ direction: DataDirection, _ byteCount: UInt32, _ bins: [UInt64]
    ) {
      add(UInt64(milliseconds))
      separate(UInt64(direction.rawValue))
      separate(UInt64(byteCount))
      for bin in bins { separate(bin) }
      bytes.append(UInt8(ascii: "\n"))
    }

    private mutating func separate(_ number: UInt64) {
      bytes.append(UInt8(ascii: ","))
      bytes.append(UInt8(ascii: " "))
      add(number)
    }

    private mutating func add(_ number: UInt64) {
      let first = bytes.count
      var rest = number
      repeat {
        bytes.append(UInt8(ascii: "0") + UInt8(rest % 10))
        rest /= 10
      } while rest > 0
      bytes[first...].reverse()
    }

    mutating func flush(to file: OutputFile, whenLongerThan limit: Int) throws(OutputError) {
      guard bytes.count > limit else { return }
      try file.write(bytes)
      bytes.removeAll(keepingCapacity: true)
    }
  }
}
