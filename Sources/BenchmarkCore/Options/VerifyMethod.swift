/// fio's `verify`: how the content of a block is protected.
public enum VerifyMethod: String, CaseIterable, Sendable {
  case crc32c
  case crc32
  case crc16
  case xxhash
  case md5
  case sha1
  case sha256
  /// The header alone: offset and sequence number, no checksum of the data.
  case meta
  /// No header: the block must hold `verify_pattern` throughout.
  case pattern
  /// Pretends to verify.
  case null

  /// Whether every block starts with a header.
  public var hasHeader: Bool { self != .pattern && self != .null }

  static func parse(_ text: Substring) throws(OptionValueError) -> VerifyMethod? {
    switch text.trimmedSpaces.lowercased() {
    case "0", "none": return nil
    case "crc32c", "crc32c-intel", "1": return .crc32c
    case let name:
      if let method = VerifyMethod(rawValue: name) { return method }
      throw OptionValueError(VerifyMethod.allCases.map(\.rawValue).joined(separator: ", "))
    }
  }
}
