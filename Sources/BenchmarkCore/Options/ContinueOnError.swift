/// fio's `continue_on_error`: which failures do not end a job. They are counted and still make the exit code non-zero.
public struct ContinueOnError: OptionSet, Sendable, Equatable {
  public let rawValue: UInt8

  public init(rawValue: UInt8) {
    self.rawValue = rawValue
  }

  public static let read = ContinueOnError(rawValue: 1)
  public static let write = ContinueOnError(rawValue: 2)
  public static let verify = ContinueOnError(rawValue: 4)

  static func parse(_ text: Substring) throws(OptionValueError) -> ContinueOnError {
    switch text.trimmedSpaces.lowercased() {
    case "none", "0": return []
    case "read": return .read
    case "write": return .write
    case "io": return [.read, .write]
    case "verify": return .verify
    case "all", "1": return [.read, .write, .verify]
    default: throw OptionValueError("none, read, write, io, verify or all")
    }
  }
}
