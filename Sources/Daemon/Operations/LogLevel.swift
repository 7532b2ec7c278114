public import Logging

/// How much is logged, in the words of the RPC interface.
public enum LogLevel: String, Sendable, CaseIterable {
  case error = "ERROR"
  case warning = "WARNING"
  case notice = "NOTICE"
  case info = "INFO"
  case debug = "DEBUG"

  /// In any letter case.
  public init?(word: String) { self.init(rawValue: word.uppercased()) }

  /// The least level that is let through, in swift-log's words.
  public var level: Logger.Level {
    switch self {
    case .error: .error
    case .warning: .warning
    case .notice: .notice
    case .info: .info
    case .debug: .trace
    }
  }

  var index: UInt8 { UInt8(Self.allCases.firstIndex(of: self)!) }
}
