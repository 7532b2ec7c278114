/// Why options could not be taken: what, where, and what to do instead.
public struct OptionError: Error, Sendable, Equatable, CustomStringConvertible {
  public enum Reason: Sendable, Equatable {
    /// No such option; `suggestion` is the closest known name, if one is close.
    case unknownOption(name: String, suggestion: String?)
    /// fio knows this option, this tool does not offer it.
    case unsupportedOption(name: String, why: String)
    case invalidValue(option: String, value: String, expected: String)
    case missingValue(option: String)
    /// Options that exclude or lack each other.
    case conflict(String)
    case malformedLine(String)
    case unreadableFile(String)
    case noJobs
  }

  public var reason: Reason
  public var location: OptionLocation

  public init(_ reason: Reason, at location: OptionLocation) {
    self.reason = reason
    self.location = location
  }

  public var description: String {
    switch reason {
    case .unknownOption(let name, let suggestion?):
      "\(location): unknown option '\(name)'; did you mean '\(suggestion)'?"
    case .unknownOption(let name, nil):
      "\(location): unknown option '\(name)'; --cmdhelp=all lists the known ones"
    case .unsupportedOption(let name, let why):
      "\(location): fio's option '\(name)' is not supported: \(why)"
    case .invalidValue(let option, let value, let expected):
      "\(location): \(option)=\(value): expected \(expected)"
    case .missingValue(let option):
      "\(location): option '\(option)' needs a value"
    case .conflict(let text):
      "\(location): \(text)"
    case .malformedLine(let text):
      "\(location): neither a section, an option nor a comment: \(text)"
    case .unreadableFile(let why):
      "\(location): \(why)"
    case .noJobs:
      "\(location): no jobs defined; give a job file or --name=NAME with options (see --help)"
    }
  }
}
