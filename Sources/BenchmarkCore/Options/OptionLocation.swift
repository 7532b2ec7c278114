/// Where an option was written, for messages that a person can act on.
public enum OptionLocation: Sendable, Equatable, CustomStringConvertible {
  case commandLine
  /// `line` counts from one.
  case file(path: String, line: Int)

  public var description: String {
    switch self {
    case .commandLine: "command line"
    case .file(let path, let line): "\(path):\(line)"
    }
  }
}
