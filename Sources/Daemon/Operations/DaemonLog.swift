internal import Glibc
public import Logging
internal import Synchronization

/// Where all messages go, and how much of them: standard error, a line each, as text or JSON; and the system's log.
///
/// Its settings act at once on every logger made by ``logger(_:)``. Any thread may call.
public final class DaemonLog: Sendable {
  public enum Format: String, Sendable, CaseIterable {
    /// For people: time, level, part, message, and what belongs to it as name=value.
    case text
    /// For programs: an object a line.
    case json
  }

  public let format: Format
  /// Whether messages go to the system's log as well.
  public let usesSystemLog: Bool
  private let level = Atomic<UInt8>(LogLevel.notice.index)
  private let printed = Atomic<UInt8>(LogLevel.info.index)
  private let flagBits = Atomic<UInt64>(0)
  private let timestamps = Atomic<Bool>(true)
  /// Lines are written whole, one after the other.
  private let output = Mutex(())
  private let descriptor: Int32

  /// - Parameters:
  ///   - usesSystemLog: whether messages go to syslog(3) as well, up to ``systemLevel``.
  ///   - descriptor: where lines are written to, by default standard error; it stays the caller's.
  public init(format: Format = .text, usesSystemLog: Bool = false, descriptor: Int32 = 2) {
    self.format = format
    self.usesSystemLog = usesSystemLog
    self.descriptor = descriptor
  }

  /// What goes to the system's log.
  public var systemLevel: LogLevel {
    get { LogLevel.allCases[Int(level.load(ordering: .relaxed))] }
    set { level.store(newValue.index, ordering: .relaxed) }
  }

  /// What goes to standard error.
  public var printLevel: LogLevel {
    get { LogLevel.allCases[Int(printed.load(ordering: .relaxed))] }
    set { printed.store(newValue.index, ordering: .relaxed) }
  }

  /// Whether lines of text begin with the time.
  public var hasTimestamps: Bool {
    get { timestamps.load(ordering: .relaxed) }
    set { timestamps.store(newValue, ordering: .relaxed) }
  }

  public func isSet(_ flag: LogFlag) -> Bool { flagBits.load(ordering: .relaxed) & flag.bit != 0 }

  public func set(_ flag: LogFlag, _ isOn: Bool) {
    if isOn {
      flagBits.bitwiseOr(flag.bit, ordering: .relaxed)
    } else {
      flagBits.bitwiseAnd(~flag.bit, ordering: .relaxed)
    }
  }

  /// A logger of one part of the daemon.
  public func logger(_ part: LogFlag) -> Logger {
    Logger(label: part.rawValue) { _ in DaemonLogHandler(log: self, part: part) }
  }

  /// The least level of a part's messages that anybody sees.
  func effectiveLevel(of part: LogFlag) -> Logger.Level {
    if isSet(part) { return .trace }
    return usesSystemLog ? min(printLevel.level, systemLevel.level) : printLevel.level
  }

  func write(_ level: Logger.Level, _ part: LogFlag, _ message: String, _ metadata: Logger.Metadata) {
    let isFlagged = isSet(part)
    if isFlagged || level >= printLevel.level { writeLine(level, part, message, metadata) }
    if usesSystemLog && (isFlagged || level >= systemLevel.level) {
      LogLine.toSystemLog(level, LogLine.text(nil, level, part, message, metadata))
    }
  }

  private func writeLine(_ level: Logger.Level, _ part: LogFlag, _ message: String, _ metadata: Logger.Metadata) {
    let line =
      switch format {
      case .text: LogLine.text(hasTimestamps ? LogLine.now() : nil, level, part, message, metadata)
      case .json: LogLine.json(LogLine.now(), level, part, message, metadata)
      }
    output.withLock { _ in
      var bytes = Array(line.utf8)[...]
      bytes.append(UInt8(ascii: "\n"))
      while !bytes.isEmpty {
        let count = bytes.withUnsafeBytes { Glibc.write(descriptor, $0.baseAddress, $0.count) }
        if count < 0 && errno == EINTR { continue }
        // Nobody reads it any more: that must not end the daemon.
        guard count > 0 else { return }
        bytes = bytes.dropFirst(count)
      }
    }
  }
}
