/// Bytes that do not form the structure they should: which structure, where in it, and what is wrong.
///
/// The cure lies with the peer that sent them; messages therefore name the structure and the byte offset, so that a
/// packet capture can be looked at.
public struct DecodingError: Error, Hashable, Sendable, CustomStringConvertible {
  public enum Reason: Hashable, Sendable {
    /// Fewer bytes than the structure has.
    case truncated(needed: Int, available: Int)
    /// A count in the structure asks for more than the buffer holds, or than is allowed.
    case countOutOfRange(count: UInt64, limit: UInt64)
    /// A field has a value that is reserved or impossible.
    case invalidValue(field: String, value: UInt64)
    /// A text field is not what it has to be (unterminated, too long, not UTF-8).
    case invalidText(field: String, problem: String)
  }

  /// The structure's name in the specification.
  public var structure: String
  /// Byte offset in the structure at which it went wrong.
  public var offset: Int
  public var reason: Reason

  public init(structure: String, offset: Int, reason: Reason) {
    self.structure = structure
    self.offset = offset
    self.reason = reason
  }

  public var description: String {
    switch reason {
    case .truncated(let needed, let available):
      "\(structure): \(needed) bytes needed at byte \(offset), only \(available) given"
    case .countOutOfRange(let count, let limit):
      "\(structure): the count at byte \(offset) is \(count), the limit is \(limit)"
    case .invalidValue(let field, let value):
      "\(structure): \(field) at byte \(offset) has the invalid value \(value)"
    case .invalidText(let field, let problem):
      "\(structure): \(field) at byte \(offset) is \(problem)"
    }
  }
}
