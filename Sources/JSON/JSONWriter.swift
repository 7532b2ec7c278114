/// Writes JSON as bytes of UTF-8.
public struct JSONWriter: Sendable {
  public enum Style: Sendable {
    /// One line without spaces.
    case compact
    /// One line with a space after commas and colons.
    case line
    /// Two spaces a level, one member or element a line.
    case indented
    /// As fio writes its reports: indented, with a space before colons, too, and a line break in empty containers.
    case fio

    /// Whether every member and element has a line of its own.
    var hasLines: Bool { self == .indented || self == .fio }

    /// Whether a terminal may show it: what JSON lets stand, but terminals act on (U+0080 to U+009F), is then escaped.
    var isForTerminals: Bool { self == .line || self == .indented }
  }

  public private(set) var bytes: [UInt8] = []
  private let style: Style

  public init(style: Style = .compact) { self.style = style }

  /// `value` as text.
  public static func text(of value: JSONValue, style: Style = .compact) -> String {
    String(decoding: bytes(of: value, style: style), as: UTF8.self)
  }

  /// `value` as UTF-8.
  public static func bytes(of value: JSONValue, style: Style = .compact) -> [UInt8] {
    var writer = JSONWriter(style: style)
    writer.write(value)
    return writer.bytes
  }

  /// Appends `value`.
  public mutating func write(_ value: JSONValue) { write(value, level: 0) }

  private mutating func write(_ value: JSONValue, level: Int) {
    switch value {
    case .null: append("null")
    case .bool(true): append("true")
    case .bool(false): append("false")
    case .number(let number): write(number)
    case .string(let text): write(string: text)
    case .array(let elements):
      bytes.append(UInt8(ascii: "["))
      for index in elements.indices {
        separate(index, level + 1)
        write(elements[index], level: level + 1)
      }
      if !elements.isEmpty || style == .fio { newLine(level) }
      bytes.append(UInt8(ascii: "]"))
    case .object(let object):
      bytes.append(UInt8(ascii: "{"))
      for index in object.members.indices {
        separate(index, level + 1)
        write(string: object.members[index].key)
        appendColon()
        write(object.members[index].value, level: level + 1)
      }
      if !object.isEmpty || style == .fio { newLine(level) }
      bytes.append(UInt8(ascii: "}"))
    }
  }

  private mutating func separate(_ index: Int, _ level: Int) {
    if index > 0 {
      bytes.append(UInt8(ascii: ","))
      if style == .line { bytes.append(UInt8(ascii: " ")) }
    }
    newLine(level)
  }

  private mutating func appendColon() {
    switch style {
    case .compact: append(":")
    case .line, .indented: append(": ")
    case .fio: append(" : ")
    }
  }

  private mutating func newLine(_ level: Int) {
    guard style.hasLines else { return }
    bytes.append(UInt8(ascii: "\n"))
    bytes.append(contentsOf: repeatElement(UInt8(ascii: " "), count: 2 * level))
  }

  private mutating func append(_ text: StaticString) {
    bytes.append(contentsOf: UnsafeBufferPointer(start: text.utf8Start, count: text.utf8CodeUnitCount))
  }

  private mutating func write(_ number: JSONNumber) {
    switch number.storage {
    case .signed(let value):
      if value < 0 { bytes.append(UInt8(ascii: "-")) }
      write(digitsOf: value.magnitude)
    case .unsigned(let value): write(digitsOf: value)
    case .text(let text): bytes.append(contentsOf: text.utf8)
    }
  }

  private mutating func write(digitsOf value: UInt64) {
    if value < 10 { return bytes.append(UInt8(ascii: "0") + UInt8(value)) }
    withUnsafeTemporaryAllocation(of: UInt8.self, capacity: 20) { digits in
      var rest = value
      var start = 20
      while rest > 0 {
        start -= 1
        digits[start] = UInt8(ascii: "0") + UInt8(truncatingIfNeeded: rest % 10)
        rest /= 10
      }
      bytes.append(contentsOf: UnsafeBufferPointer(rebasing: digits[start..<20]))
    }
  }

  private mutating func write(string: String) {
    bytes.append(UInt8(ascii: "\""))
    var string = string
    string.withUTF8 { utf8 in
      // Most strings have nothing to escape, and are copied in one piece.
      var start = 0
      for index in utf8.indices where isEscaped(utf8, index) {
        // The second byte of a character from U+0080 to U+009F is its number.
        bytes.append(contentsOf: utf8[start..<(utf8[index] < 0x80 ? index : index - 1)])
        escape(utf8[index])
        start = index + 1
      }
      bytes.append(contentsOf: utf8[start...])
    }
    bytes.append(UInt8(ascii: "\""))
  }

  /// Whether the character that ends at `index` is escaped.
  private func isEscaped(_ utf8: UnsafeBufferPointer<UInt8>, _ index: Int) -> Bool {
    switch utf8[index] {
    case 0..<0x20, UInt8(ascii: "\""), UInt8(ascii: "\\"): true
    case 0x7F: style != .fio
    case 0x80...0x9F: style.isForTerminals && utf8[index - 1] == 0xC2
    default: false
    }
  }

  private mutating func escape(_ byte: UInt8) {
    switch byte {
    case UInt8(ascii: "\""): append("\\\"")
    case UInt8(ascii: "\\"): append("\\\\")
    case 0x0A: append("\\n")
    case 0x0D: append("\\r")
    case 0x09: append("\\t")
    default:
      append("\\u00")
      bytes.append(Self.digit(byte >> 4))
      bytes.append(Self.digit(byte & 15))
    }
  }

  private static func digit(_ nibble: UInt8) -> UInt8 {
    nibble < 10 ? UInt8(ascii: "0") + nibble : UInt8(ascii: "a") + nibble - 10
  }
}
