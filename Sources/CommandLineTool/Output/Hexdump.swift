/// Bytes as nvme-cli dumps them: offset, sixteen bytes, and what of them is printable ASCII.
enum Hexdump {
  static let header = "       0  1  2  3  4  5  6  7  8  9  a  b  c  d  e  f"

  /// - Parameter base: the offset to show for the first byte; that of the last one is within 64 bits, too.
  static func text(_ bytes: some RandomAccessCollection<UInt8>, base: UInt64 = 0) -> String {
    let digits = max(4, (base + UInt64(max(bytes.count, 1) - 1)).hexadecimal().count)
    var lines = [String(repeating: " ", count: digits - 4) + header]
    var offset = base
    var rest = bytes[...]
    while !rest.isEmpty {
      let row = rest.prefix(16)
      rest = rest.dropFirst(16)
      let hex = row.map { $0.hexadecimal(digits: 2) }.joined(separator: " ").padded(to: 47)
      let ascii = String(
        String.UnicodeScalarView(row.map { (0x20..<0x7F).contains($0) ? Unicode.Scalar($0) : "." }))
      lines.append("\(offset.hexadecimal(digits: digits)): \(hex) \"\(ascii)\"")
      // Behind the last row there may be no number any more.
      offset &+= 16
    }
    return lines.joined(separator: "\n")
  }
}
