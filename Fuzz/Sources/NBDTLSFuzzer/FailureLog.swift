import Logging

/// The server's log, of which one line is of interest: that TLS with the client has failed.
final class FailureLog: @unchecked Sendable {
  private(set) var hasTLSFailed = false

  var logger: Logger { Logger(label: "fuzz") { _ in Handler(log: self) } }

  private struct Handler: LogHandler {
    let log: FailureLog
    var metadata: Logger.Metadata = [:]
    var logLevel = Logger.Level.warning

    init(log: FailureLog) { self.log = log }

    subscript(metadataKey key: String) -> Logger.Metadata.Value? {
      get { metadata[key] }
      set { metadata[key] = newValue }
    }

    func log(event: LogEvent) {
      if "\(event.message)" == "TLS with a client has failed" { log.hasTLSFailed = true }
    }
  }
}
