public import NVMeProtocol

/// Reads a whole discovery log, one command at a time, sans-I/O: ``nextRead()`` and ``handle(_:data:)`` take turns.
///
/// Header, then the records piece by piece, then the header once more: if the generation counter has changed in
/// between, the pieces may not belong together, and all is read again (NVMe Base 2.1, section 5.1.12.3.1).
public struct DiscoveryLogReader: Sendable {
  /// A piece of the log to read.
  public struct Read: Hashable, Sendable {
    public var command: SubmissionQueueEntry
    public var byteCount: Int
  }

  private enum Phase: Sendable {
    case header
    case records
    case check
    case done
  }

  /// More records than this are not read: 1 KiB each, they come from a stranger.
  public static let defaultRecordLimit = 16_384
  public static let maximumAttempts = 8

  /// What has been read; whole once ``isDone``.
  public private(set) var entries: [DiscoveryLogEntry] = []
  public private(set) var generationCounter: UInt64 = 0
  /// Readings begun anew because the log had changed.
  public private(set) var restartCount = 0

  private let recordsPerRead: Int
  private let recordLimit: Int
  private var phase = Phase.header
  private var recordCount = 0

  /// - Parameters:
  ///   - readByteCount: bytes to read at once, rounded down to whole records, at least one; at most MDTS. 4 KiB is
  ///     what every controller can do.
  ///   - recordLimit: a log that says to have more is refused.
  public init(readByteCount: Int = 4096, recordLimit: Int = DiscoveryLogReader.defaultRecordLimit) {
    recordsPerRead = min(max(readByteCount / DiscoveryLogEntry.byteCount, 1), 1024)
    self.recordLimit = max(recordLimit, 0)
  }

  public var isDone: Bool { if case .done = phase { true } else { false } }

  /// The next command; nil when done. The answer goes to ``handle(_:data:)``.
  public func nextRead() -> Read? {
    switch phase {
    case .header: read(byteCount: DiscoveryLogHeader.byteCount, offset: 0, retainsEvent: true)
    case .records:
      read(
        byteCount: min(recordsPerRead, recordCount - entries.count) * DiscoveryLogEntry.byteCount,
        offset: DiscoveryLogHeader.byteCount + entries.count * DiscoveryLogEntry.byteCount, retainsEvent: true)
    // The last read clears the event and so lets the controller report the next change.
    case .check: read(byteCount: DiscoveryLogHeader.byteCount, offset: 0, retainsEvent: false)
    case .done: nil
    }
  }

  private func read(byteCount: Int, offset: Int, retainsEvent: Bool) -> Read {
    Read(
      command: .getLogPage(
        .discovery, namespaceIdentifier: 0, byteCount: byteCount, offset: UInt64(offset),
        retainAsynchronousEvent: retainsEvent),
      byteCount: byteCount)
  }

  /// Takes the answer to ``nextRead()``.
  /// - Throws: ``DiscoveryError``; the reader is of no use afterwards.
  public mutating func handle(_ status: StatusField, data: [UInt8]) throws(DiscoveryError) {
    if isDone { return }
    // The controller itself says that the log has changed (NVMe Base 2.1, figure 105).
    if status.matches(.discoverRestart) {
      try restart()
      return
    }
    // The log has become so short that the piece begins beyond its end.
    if case .records = phase, status.matches(.invalidFieldInCommand) {
      try restart()
      return
    }
    guard status.isSuccess else { throw .refused(status) }
    switch phase {
    case .header: try begin(try header(data))
    case .records:
      do throws(DecodingError) { try takeRecords(data) } catch { throw .malformed(error) }
    case .check:
      let header = try header(data)
      if header.generationCounter == generationCounter && header.recordCount == UInt64(recordCount) {
        phase = .done
      } else {
        try restart()
      }
    case .done: break
    }
  }

  private func header(_ data: [UInt8]) throws(DiscoveryError) -> DiscoveryLogHeader {
    do throws(DecodingError) { return try DiscoveryLogHeader(decoding: data) } catch { throw .malformed(error) }
  }

  private mutating func begin(_ header: DiscoveryLogHeader) throws(DiscoveryError) {
    guard header.recordFormat == 0 else { throw .unknownRecordFormat(header.recordFormat) }
    guard header.recordCount <= UInt64(recordLimit) else {
      throw .tooManyRecords(count: header.recordCount, limit: recordLimit)
    }
    generationCounter = header.generationCounter
    recordCount = Int(header.recordCount)
    entries = []
    phase = recordCount == 0 ? .check : .records
  }

  private mutating func takeRecords(_ data: [UInt8]) throws(DecodingError) {
    let count = min(recordsPerRead, recordCount - entries.count)
    let bytes = data.span.bytes
    try checkLength(bytes.byteCount, records: count)
    for index in 0..<count {
      let start = index * DiscoveryLogEntry.byteCount
      entries.append(try DiscoveryLogEntry(decoding: bytes.extracting(start..<start + DiscoveryLogEntry.byteCount)))
    }
    if entries.count == recordCount { phase = .check }
  }

  private func checkLength(_ available: Int, records: Int) throws(DecodingError) {
    let needed = records * DiscoveryLogEntry.byteCount
    guard available >= needed else {
      throw DecodingError(
        structure: "Discovery log", offset: DiscoveryLogHeader.byteCount + entries.count * DiscoveryLogEntry.byteCount,
        reason: .truncated(needed: needed, available: available))
    }
  }

  private mutating func restart() throws(DiscoveryError) {
    restartCount += 1
    guard restartCount < Self.maximumAttempts else { throw .keepsChanging(attempts: restartCount) }
    entries = []
    phase = .header
  }
}
