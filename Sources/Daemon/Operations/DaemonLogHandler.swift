internal import Logging

/// Puts a part's messages into the ``DaemonLog``.
struct DaemonLogHandler: LogHandler {
  let log: DaemonLog
  let part: LogFlag
  var metadata: Logger.Metadata = [:]

  /// The log's settings, always; a logger has none of its own.
  var logLevel: Logger.Level {
    get { log.effectiveLevel(of: part) }
    set {}
  }

  subscript(metadataKey key: String) -> Logger.Metadata.Value? {
    get { metadata[key] }
    set { metadata[key] = newValue }
  }

  func log(event: LogEvent) {
    let all = event.metadata.map { metadata.merging($0) { $1 } } ?? metadata
    log.write(event.level, part, "\(event.message)", all)
  }
}
