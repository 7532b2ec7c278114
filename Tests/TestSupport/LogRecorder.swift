public import Logging
import Synchronization

/// Keeps what a logger says, a line a message: its level, its text, and its metadata in the order of their names.
public final class LogRecorder: Sendable {
  private struct Handler: LogHandler {
    let recorder: LogRecorder
    var metadata: Logger.Metadata = [:]
    var logLevel: Logger.Level

    subscript(metadataKey key: String) -> Logger.Metadata.Value? {
      get { metadata[key] }
      set { metadata[key] = newValue }
    }

    func log(event: LogEvent) {
      let members = (event.metadata ?? [:]).sorted { $0.key < $1.key }.map { " \($0.key)=\($0.value)" }
      recorder.content.withLock { $0.append("\(event.level) \(event.message)" + members.joined()) }
    }
  }

  private let content = Mutex<[String]>([])

  public init() {}

  public var lines: [String] { content.withLock { $0 } }

  /// How many lines begin so.
  public func count(_ beginning: String) -> Int { lines.count { $0.hasPrefix(beginning) } }

  public func logger(_ level: Logger.Level = .trace) -> Logger {
    Logger(label: "test") { _ in Handler(recorder: self, logLevel: level) }
  }
}
