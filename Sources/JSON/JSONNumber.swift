/// A number as JSON has it: exact for whole numbers from -2⁶³ to 2⁶⁴-1, everything else kept as it was written.
public struct JSONNumber: Sendable, Hashable {
  enum Storage: Sendable, Hashable {
    case signed(Int64)
    /// Above `Int64.max` alone, so that equal numbers are equal.
    case unsigned(UInt64)
    /// With a fraction, an exponent, a negative zero, or beyond 64 bits: the text.
    case text(String)
  }

  let storage: Storage

  /// A whole number; one beyond 64 bits is kept as its text.
  public init(_ value: some BinaryInteger) {
    if let signed = Int64(exactly: value) {
      storage = .signed(signed)
    } else if let unsigned = UInt64(exactly: value) {
      storage = .unsigned(unsigned)
    } else {
      storage = .text(String(value))
    }
  }

  /// The shortest text that reads as `value`; nil for infinities and NaN, which JSON has not.
  public init?(_ value: Double) {
    guard value.isFinite else { return nil }
    if let whole = Int64(exactly: value), !(whole == 0 && value.sign == .minus), abs(value) < 1e15 {
      storage = .signed(whole)
    } else {
      // Swift writes "1e+16" and "0.1": both are JSON.
      storage = .text(value.description)
    }
  }

  /// The number that is written as `text`, and stays so: with as many decimals as there are. Nil for what is no number of
  /// JSON's.
  public init?(text: String) {
    guard case .number(let number)? = try? JSONParser.value(of: text), number.text == text else { return nil }
    self = number
  }

  /// For the parser: `text` has been checked against JSON's grammar.
  init(checked text: String) {
    if text == "-0" {
      storage = .text(text)
    } else if let signed = Int64(text) {
      storage = .signed(signed)
    } else if let unsigned = UInt64(text) {
      storage = .unsigned(unsigned)
    } else {
      storage = .text(text)
    }
  }

  /// The number as it is written in JSON.
  public var text: String {
    switch storage {
    case .signed(let value): String(value)
    case .unsigned(let value): String(value)
    case .text(let text): text
    }
  }

  /// The nearest double; infinite for what is too large.
  public var double: Double {
    switch storage {
    case .signed(let value): Double(value)
    case .unsigned(let value): Double(value)
    case .text(let text): Double(text) ?? .nan
    }
  }

  /// The number as an integer of the wanted type; nil when it is not whole or does not fit. `1.0` and `1e1` are whole.
  public func integer<Integer: FixedWidthInteger>(_ type: Integer.Type = Integer.self) -> Integer? {
    switch storage {
    case .signed(let value): Integer(exactly: value)
    case .unsigned(let value): Integer(exactly: value)
    case .text(let text): Self.wholeNumber(text).flatMap { Integer(exactly: $0) }
    }
  }

  /// The value of a number with a fraction or an exponent, by its digits: a double would not be exact.
  private static func wholeNumber(_ text: String) -> Int128? {
    var digits: [UInt8] = []
    var fractionDigitCount = 0
    var isNegative = false
    var rest = text.utf8[...]
    if rest.first == UInt8(ascii: "-") {
      isNegative = true
      rest = rest.dropFirst()
    }
    var inFraction = false
    while let byte = rest.first, byte != UInt8(ascii: "e"), byte != UInt8(ascii: "E") {
      rest = rest.dropFirst()
      if byte == UInt8(ascii: ".") {
        inFraction = true
        continue
      }
      digits.append(byte - UInt8(ascii: "0"))
      if inFraction { fractionDigitCount += 1 }
    }
    // No exponent that fits a 64-bit number needs more than this; the digits' own count bounds what it can undo.
    guard let exponent = rest.isEmpty ? 0 : Int(String(Substring(rest.dropFirst()))) else {
      return digits.allSatisfy { $0 == 0 } ? 0 : nil
    }
    let (shift, overflow) = exponent.subtractingReportingOverflow(fractionDigitCount)
    let first = digits.firstIndex { $0 != 0 } ?? digits.count
    digits.removeFirst(first)
    guard !digits.isEmpty else { return 0 }
    guard !overflow else { return nil }
    if shift < 0 {
      // `-shift` does not exist for the least of all.
      guard let count = Int(exactly: shift.magnitude), count <= digits.count,
        digits.suffix(count).allSatisfy({ $0 == 0 })
      else { return nil }
      digits.removeLast(count)
    } else {
      guard digits.count <= 20, shift <= 20 - digits.count else { return nil }
      digits.append(contentsOf: repeatElement(0, count: shift))
    }
    guard digits.count <= 20 else { return nil }
    var value: Int128 = 0
    for digit in digits { value = value * 10 + Int128(digit) }
    return isNegative ? -value : value
  }
}
