/// Why bytes are not JSON, or more of it than is accepted.
public struct JSONError: Error, Sendable, Hashable, CustomStringConvertible {
  public enum Reason: Sendable, Hashable, CustomStringConvertible {
    case unexpectedByte(UInt8)
    /// A string with bytes that are not UTF-8.
    case invalidUTF8
    /// Half of a surrogate pair, written as `\uXXXX`.
    case loneSurrogate
    case unexpectedEnd
    case tooLong(maximumByteCount: Int)
    case tooDeep(maximumDepth: Int)
    case tooManyValues(maximumValueCount: Int)

    public var description: String {
      switch self {
      case .unexpectedByte(let byte):
        (0x21..<0x7F).contains(byte)
          ? "unexpected '\(Character(Unicode.Scalar(byte)))'" : "unexpected byte 0x\(String(byte, radix: 16))"
      case .invalidUTF8: "a string that is not UTF-8"
      case .loneSurrogate: "half of a surrogate pair"
      case .unexpectedEnd: "the text ends within a value"
      case .tooLong(let maximum): "longer than \(maximum) bytes"
      case .tooDeep(let maximum): "nested deeper than \(maximum)"
      case .tooManyValues(let maximum): "more than \(maximum) values"
      }
    }
  }

  public var reason: Reason
  /// The byte where it was noticed, counted from the beginning of the value.
  public var offset: Int

  public init(_ reason: Reason, offset: Int) {
    self.reason = reason
    self.offset = offset
  }

  public var description: String { "\(reason) at byte \(offset)" }
}
