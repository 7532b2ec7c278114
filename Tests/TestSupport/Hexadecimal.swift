/// Bytes of a hexadecimal string; blanks and line ends are skipped.
public func hexadecimal(_ text: String) -> [UInt8] {
  let digits = text.filter { !$0.isWhitespace }
  precondition(digits.count % 2 == 0, "odd number of hexadecimal digits")
  var bytes: [UInt8] = []
  var rest = Substring(digits)
  while !rest.isEmpty {
    bytes.append(UInt8(rest.prefix(2), radix: 16)!)
    rest = rest.dropFirst(2)
  }
  return bytes
}
