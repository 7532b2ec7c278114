/// fio's byte patterns: `0xdeadbeef`, decimal bytes, `"text"`, or several of these one after another.
enum PatternParser {
  static let maximumLength = 512

  static func parse(_ text: Substring) throws(OptionValueError) -> [UInt8] {
    let wrong = OptionValueError("0x followed by hexadecimal digits, a number, or a \"string\" (at most 512 bytes)")
    var rest = text.trimmedSpaces
    var bytes: [UInt8] = []
    while let first = rest.first {
      if first == "\"" {
        rest.removeFirst()
        guard let end = rest.firstIndex(of: "\"") else { throw wrong }
        bytes += Array(rest[..<end].utf8)
        rest = rest[rest.index(after: end)...]
      } else if rest.hasPrefix("0x") || rest.hasPrefix("0X") {
        let digits = rest.dropFirst(2).prefix { $0.isHexDigit }
        guard !digits.isEmpty else { throw wrong }
        // Bytes in the order written; an odd count has a leading zero.
        let padded = (digits.count % 2 == 1 ? "0" : "") + digits
        var index = padded.startIndex
        while index < padded.endIndex {
          let next = padded.index(index, offsetBy: 2)
          guard let byte = UInt8(padded[index..<next], radix: 16) else { throw wrong }
          bytes.append(byte)
          index = next
        }
        rest = rest.dropFirst(2 + digits.count)
      } else {
        let digits = rest.prefix { $0.isASCII && ($0.isNumber || $0 == "-") }
        guard !digits.isEmpty, let number = Int64(digits), let word = UInt32(exactly: number & 0xffff_ffff),
          number >= -0x8000_0000, number <= 0xffff_ffff
        else { throw wrong }
        // As few bytes as hold the number, least significant first, as fio fills memory on this processor.
        var value = word
        repeat {
          bytes.append(UInt8(truncatingIfNeeded: value))
          value >>= 8
        } while value != 0
        rest = rest.dropFirst(digits.count)
      }
      guard bytes.count <= maximumLength else { throw wrong }
    }
    guard !bytes.isEmpty else { throw wrong }
    return bytes
  }
}
