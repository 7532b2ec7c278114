public import NVMeProtocol

/// Rules for NVMe Qualified Names (NVMe Base 2.1, section 4.7).
public enum NVMeQualifiedName {
  /// The well-known name of the discovery service (NVMe Base 2.1, section 4.7).
  public static let discovery = "nqn.2014-08.org.nvmexpress.discovery"
  /// The head of names that are made from a UUID.
  public static let uuidPrefix = "nqn.2014-08.org.nvmexpress:uuid:"
  /// Bytes of UTF-8, without the terminator.
  public static let maximumByteCount = 223

  /// Why the name cannot be sent at all: empty, longer than 223 bytes, or with blanks or control characters in it.
  /// Nil if it can.
  ///
  /// The form is not looked at: Linux targets accept any name, and one must be able to connect to those. Use
  /// ``isWellFormed(_:)`` for a warning.
  public static func problem(with name: String) -> String? {
    let count = name.utf8.count
    if count == 0 { return "it is empty" }
    if count > maximumByteCount { return "it has \(count) bytes, at most \(maximumByteCount) are allowed" }
    let isBad = name.unicodeScalars.contains { $0.value <= 0x20 || (0x7F..<0xA0).contains($0.value) }
    return isBad ? "it contains blanks or control characters" : nil
  }

  /// Whether it has one of the specification's forms: `nqn.yyyy-mm.reverse.domain:name`,
  /// `nqn.2014-08.org.nvmexpress:uuid:UUID`, or the discovery service's name.
  public static func isWellFormed(_ name: String) -> Bool {
    if problem(with: name) != nil { return false }
    if name == discovery { return true }
    if name.hasPrefix(uuidPrefix) { return uuid(of: name) != nil }
    guard name.hasPrefix("nqn."), let colon = name.firstIndex(of: ":") else { return false }
    let date = Array(name.utf8.dropFirst(4).prefix(8))
    guard date.count == 8, date[4] == UInt8(ascii: "-"), date[7] == UInt8(ascii: ".") else { return false }
    let digits = (date[0..<4] + date[5..<7]).allSatisfy { (UInt8(ascii: "0")...UInt8(ascii: "9")).contains($0) }
    let month = (date[5] &- 48) &* 10 &+ (date[6] &- 48)
    guard digits, (1...12).contains(month) else { return false }
    let domain = name[name.index(name.startIndex, offsetBy: 12)...]
    return domain.startIndex < colon && name.index(after: colon) < name.endIndex
  }

  /// The UUID that a name of the UUID form is made from.
  public static func uuid(of name: String) -> Identifier128? {
    guard name.hasPrefix(uuidPrefix) else { return nil }
    let text = name.dropFirst(uuidPrefix.count)
    return text.utf8.count == 36 ? Identifier128(text) : nil
  }

  /// The name of the UUID form.
  public static func name(uuid: Identifier128) -> String { uuidPrefix + uuid.uuidString }
}
