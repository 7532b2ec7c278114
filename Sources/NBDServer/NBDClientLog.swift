internal import Logging
internal import RingReactor
internal import Synchronization

/// What a server tells of its clients. They may be anybody, and do whatever they like as often as they can: lines come in
/// bursts of ``burst``, and ``linesPerSecond`` in the long run; how many were left out is told with the next. Any thread
/// may call.
final class NBDClientLog: Sendable {
  static let burst: UInt64 = 200
  static let linesPerSecond: UInt64 = 20
  private static let intervalNanoseconds = 1_000_000_000 / linesPerSecond
  /// Longest text of a client's that is told.
  private static let textLimit = 64

  private struct Budget {
    /// When as many lines as ever may be written.
    var fullAtNanoseconds: UInt64 = 0
    var omittedCount = 0
  }

  private let logger: Logger
  private let budget = Mutex(Budget())

  init(_ logger: Logger) { self.logger = logger }

  /// - Parameter metadata: not asked for where nobody is told.
  func write(
    _ level: Logger.Level, _ message: Logger.Message, nowNanoseconds: UInt64 = MonotonicClock.nanoseconds(),
    _ metadata: @autoclosure () -> Logger.Metadata
  ) {
    guard level >= logger.logLevel, let omittedCount = take(nowNanoseconds) else { return }
    var metadata = metadata()
    if omittedCount > 0 { metadata["omitted_lines"] = "\(omittedCount)" }
    logger.log(level: level, message, metadata: metadata)
  }

  /// How many lines have been left out since the latest one; nil when this one is to be, too.
  private func take(_ now: UInt64) -> Int? {
    budget.withLock { budget in
      let full = max(budget.fullAtNanoseconds, now) + Self.intervalNanoseconds
      guard full <= now + Self.burst * Self.intervalNanoseconds else {
        budget.omittedCount += 1
        return nil
      }
      defer { budget.omittedCount = 0 }
      budget.fullAtNanoseconds = full
      return budget.omittedCount
    }
  }

  /// A text that a client has sent, as much of it as anybody needs.
  static func shortened(_ text: String) -> String {
    text.count <= textLimit ? text : "\(text.prefix(textLimit))…"
  }
}
