extension String {
  /// Filled with spaces behind.
  func padded(to width: Int) -> String { self + String(repeating: " ", count: max(0, width - count)) }
  /// Filled with spaces, or another character, in front.
  func leftPadded(to width: Int, with fill: Character = " ") -> String {
    String(repeating: fill, count: max(0, width - count)) + self
  }
}

extension FixedWidthInteger {
  /// Hexadecimal digits, at least `digits` of them, without a prefix.
  func hexadecimal(digits: Int = 1) -> String { String(self, radix: 16).leftPadded(to: digits, with: "0") }
}
