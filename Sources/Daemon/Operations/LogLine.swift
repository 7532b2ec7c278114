internal import Glibc
internal import JSON
internal import Logging

/// What a message looks like.
enum LogLine {
  /// The time in UTC (RFC 3339), with microseconds.
  static func now() -> String {
    var time = timespec()
    clock_gettime(CLOCK_REALTIME, &time)
    var parts = tm()
    gmtime_r(&time.tv_sec, &parts)
    let date = [padded(parts.tm_year + 1900, 4), padded(parts.tm_mon + 1, 2), padded(parts.tm_mday, 2)]
    let clock = [padded(parts.tm_hour, 2), padded(parts.tm_min, 2), padded(parts.tm_sec, 2)]
    return date.joined(separator: "-") + "T" + clock.joined(separator: ":") + "."
      + padded(Int32(time.tv_nsec / 1000), 6) + "Z"
  }

  private static func padded(_ number: Int32, _ width: Int) -> String {
    let text = String(number)
    return String(repeating: "0", count: max(0, width - text.utf8.count)) + text
  }

  static func text(
    _ time: String?, _ level: Logger.Level, _ part: LogFlag, _ message: String, _ metadata: Logger.Metadata
  ) -> String {
    var line = time.map { $0 + " " } ?? ""
    line += "\(word(level)) \(part.rawValue): \(escaped(message))"
    for (name, value) in metadata.sorted(by: { $0.key < $1.key }) {
      let text = value.description
      if text.isEmpty { continue }
      let isPlain = text.utf8.allSatisfy { $0 > 0x20 && $0 != 0x7F && $0 != UInt8(ascii: "\"") }
      line += " \(name)=" + (isPlain ? text : JSONValue.string(text).description)
    }
    return line
  }

  static func json(
    _ time: String, _ level: Logger.Level, _ part: LogFlag, _ message: String, _ metadata: Logger.Metadata
  ) -> String {
    var object: JSONObject = [
      "time": .string(time), "level": .string(word(level)), "part": .string(part.rawValue),
      "message": .string(message),
    ]
    for (name, value) in metadata.sorted(by: { $0.key < $1.key }) where object[name] == nil {
      object[name] = self.value(value)
    }
    return JSONValue.object(object).description
  }

  private static func value(_ value: Logger.Metadata.Value) -> JSONValue {
    switch value {
    case .string(let text): return .string(text)
    case .stringConvertible(let value): return .string(value.description)
    case .array(let values): return .array(values.map { self.value($0) })
    case .dictionary(let values):
      var object = JSONObject()
      for (name, value) in values.sorted(by: { $0.key < $1.key }) { object[name] = self.value(value) }
      return .object(object)
    }
  }

  static func word(_ level: Logger.Level) -> String {
    switch level {
    case .trace, .debug: "DEBUG"
    case .info: "INFO"
    case .notice: "NOTICE"
    case .warning: "WARNING"
    case .error, .critical: "ERROR"
    }
  }

  /// A message is one line, whatever is in it.
  private static func escaped(_ message: String) -> String {
    message.utf8.contains { $0 < 0x20 } ? String(JSONValue.string(message).description.dropFirst().dropLast()) : message
  }

  static func toSystemLog(_ level: Logger.Level, _ line: String) {
    let priority: Int32 =
      switch level {
      case .trace, .debug: LOG_DEBUG
      case .info: LOG_INFO
      case .notice: LOG_NOTICE
      case .warning: LOG_WARNING
      case .error: LOG_ERR
      case .critical: LOG_CRIT
      }
    line.withCString { text in
      withVaList([text]) { vsyslog(priority, "%s", $0) }
    }
  }
}
