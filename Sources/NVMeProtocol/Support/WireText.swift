/// Text in fixed-size fields.
enum WireText {
  /// Never fails: what is not UTF-8, and control characters (which could drive a terminal), become U+FFFD.
  static func decode(_ field: ArraySlice<UInt8>, padding: TextPadding) -> String {
    var content = field
    if let end = content.firstIndex(of: 0) { content = content[..<end] }
    if padding == .space { while content.last == TextPadding.space.rawValue { content.removeLast() } }
    let text = String(decoding: content, as: UTF8.self)
    guard text.unicodeScalars.contains(where: isControl) else { return text }
    var cleaned = String.UnicodeScalarView()
    for scalar in text.unicodeScalars { cleaned.append(isControl(scalar) ? "\u{FFFD}" : scalar) }
    return String(cleaned)
  }

  /// Cut at a character boundary if it is too long. Zero-padded fields keep at least one zero byte at the end.
  static func encode(_ text: String, count: Int, padding: TextPadding) -> [UInt8] {
    let limit = padding == .zero ? count - 1 : count
    var encoded: [UInt8] = []
    for character in text.unicodeScalars {
      let scalar = Array(String(character).utf8)
      if encoded.count + scalar.count > limit { break }
      encoded += scalar
    }
    encoded += Array(repeating: padding.rawValue, count: count - encoded.count)
    return encoded
  }

  static func isControl(_ scalar: Unicode.Scalar) -> Bool {
    scalar.value < 0x20 || (0x7F..<0xA0).contains(scalar.value)
  }
}
