import Testing

/// A structure's bytes, written down by hand from the specification's figure: pieces at offsets, zeroes between them.
struct Vector: CustomTestStringConvertible {
  /// The figure and revision it was taken from.
  var source: String
  var bytes: [UInt8]

  init(_ source: String, byteCount: Int, _ pieces: [(offset: Int, hex: String)]) {
    self.source = source
    bytes = [UInt8](repeating: 0, count: byteCount)
    for piece in pieces {
      let content = hexBytes(piece.hex)
      precondition(piece.offset + content.count <= byteCount, "\(source): piece at \(piece.offset) is too long")
      bytes.replaceSubrange(piece.offset..<piece.offset + content.count, with: content)
    }
  }

  var testDescription: String { source }
}

/// Bytes of hexadecimal digits; blanks are ignored.
func hexBytes(_ text: String) -> [UInt8] {
  let digits = text.filter { !$0.isWhitespace }
  precondition(digits.count % 2 == 0, "odd number of digits in \(text)")
  var bytes: [UInt8] = []
  var index = digits.startIndex
  while index < digits.endIndex {
    let next = digits.index(index, offsetBy: 2)
    bytes.append(UInt8(digits[index..<next], radix: 16)!)
    index = next
  }
  return bytes
}
