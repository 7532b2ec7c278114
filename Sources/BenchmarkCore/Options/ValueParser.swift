/// fio's value syntaxes: integers with size suffixes, times, percentages, booleans and comma-separated lists.
///
/// All arithmetic is checked: a value that does not fit is refused, not wrapped.
public enum ValueParser {
  /// Splits "12.5mib" into the number and the lower-cased suffix.
  private static func split(_ text: Substring) -> (number: Substring, suffix: String)? {
    let text = text.trimmedSpaces
    if text.hasPrefix("0x") || text.hasPrefix("0X") {
      // A hexadecimal number takes no unit: "b" would be a digit.
      return (text, "")
    }
    let end = text.firstIndex { !($0.isASCII && ($0.isNumber || $0 == ".")) } ?? text.endIndex
    guard end != text.startIndex else { return nil }
    return (text[..<end], text[end...].trimmedSpaces.lowercased())
  }

  /// `number × multiplier`, nil when not a number or too large. A decimal point is allowed.
  private static func scaled(_ number: Substring, by multiplier: UInt64) -> UInt64? {
    if number.hasPrefix("0x") || number.hasPrefix("0X") {
      guard let value = UInt64(number.dropFirst(2), radix: 16) else { return nil }
      let (product, overflow) = value.multipliedReportingOverflow(by: multiplier)
      return overflow ? nil : product
    }
    if let value = UInt64(number) {
      let (product, overflow) = value.multipliedReportingOverflow(by: multiplier)
      return overflow ? nil : product
    }
    guard number.contains("."), let value = Double(number) else { return nil }
    let product = value * Double(multiplier)
    // 2^63 is far beyond any size or time in use and exactly representable.
    guard product.isFinite, product >= 0, product < 9_223_372_036_854_775_808 else { return nil }
    return UInt64(product.rounded())
  }

  private static func power(_ base: UInt64, _ exponent: Int) -> UInt64 {
    var result: UInt64 = 1
    for _ in 0..<exponent { result *= base }
    return result
  }

  /// An integer with an optional size suffix, in bytes (or plain units where the option counts something else).
  public static func size(
    _ text: Substring, _ context: ValueContext = ValueContext()
  ) throws(OptionValueError) -> UInt64 {
    let expected = "a number, optionally with k, m, g, t or p (kb_base=\(context.kilobyteBase))"
    guard let (number, unit) = split(text) else { throw OptionValueError(expected) }
    var suffix = unit
    if suffix.hasSuffix("b") { suffix.removeLast() }
    var binary = false
    if suffix.hasSuffix("i") {
      suffix.removeLast()
      binary = true
      if suffix.isEmpty { throw OptionValueError(expected) }
    }
    let exponent: Int
    switch suffix {
    case "": exponent = 0
    case "k": exponent = 1
    case "m": exponent = 2
    case "g": exponent = 3
    case "t": exponent = 4
    case "p": exponent = 5
    default: throw OptionValueError(expected)
    }
    // With kb_base=1024 fio deliberately swaps the meaning of the prefixes for compatibility with old job files.
    let base: UInt64 = (context.kilobyteBase == 1024) != binary ? 1024 : 1000
    guard let value = scaled(number, by: power(base, exponent)) else {
      throw OptionValueError(expected + ", below 2^64")
    }
    return value
  }

  /// A size that must fit 32 bits, as block sizes and depths do.
  public static func size32(
    _ text: Substring, _ context: ValueContext, in range: ClosedRange<UInt32>
  ) throws(OptionValueError) -> UInt32 {
    let value = try size(text, context)
    guard let narrow = UInt32(exactly: value), range.contains(narrow) else {
      throw OptionValueError("a number from \(range.lowerBound) to \(range.upperBound)")
    }
    return narrow
  }

  /// A size in bytes, or a percentage of the device ("20%").
  public static func sizeOrPercent(
    _ text: Substring, _ context: ValueContext
  ) throws(OptionValueError) -> SizeSpecification {
    let text = text.trimmedSpaces
    guard text.hasSuffix("%") else { return .bytes(try size(text, context)) }
    guard let percent = Double(text.dropLast()), percent >= 0, percent <= 100 else {
      throw OptionValueError("a percentage from 0% to 100%")
    }
    return .percent(percent)
  }

  /// A time in nanoseconds. `defaultUnit` is the length of a number without a unit, in nanoseconds.
  public static func nanoseconds(_ text: Substring, defaultUnit: UInt64) throws(OptionValueError) -> UInt64 {
    let expected = "a time such as 5s, 200ms, 50us, 2m, 1h or 1d"
    guard let (number, suffix) = split(text) else { throw OptionValueError(expected) }
    let unit: UInt64
    switch suffix {
    case "": unit = defaultUnit
    case "d": unit = 86_400_000_000_000
    case "h": unit = 3_600_000_000_000
    case "m": unit = 60_000_000_000
    case "s", "sec": unit = 1_000_000_000
    case "ms", "msec": unit = 1_000_000
    case "us", "usec": unit = 1_000
    case "ns", "nsec": unit = 1
    default: throw OptionValueError(expected)
    }
    guard let value = scaled(number, by: unit), value <= UInt64(Int64.max) else { throw OptionValueError(expected) }
    return value
  }

  public static func boolean(_ text: Substring) throws(OptionValueError) -> Bool {
    switch text.trimmedSpaces.lowercased() {
    case "1", "true", "yes": return true
    case "0", "false", "no": return false
    default: throw OptionValueError("0 or 1")
    }
  }

  public static func percent(_ text: Substring) throws(OptionValueError) -> UInt32 {
    var text = text.trimmedSpaces
    if text.hasSuffix("%") { text = text.dropLast() }
    guard let value = UInt32(text), value <= 100 else { throw OptionValueError("a percentage from 0 to 100") }
    return value
  }

  /// fio's `a,b,c` rule: a value not followed by a comma applies to the later directions as well; an empty place keeps
  /// the default; a trailing comma leaves the rest at the default.
  public static func perDirection<Value>(
    _ text: Substring, default defaults: PerDirection<Value>,
    _ parse: (Substring) throws(OptionValueError) -> Value
  ) throws(OptionValueError) -> PerDirection<Value> {
    let parts = text.split(separator: ",", omittingEmptySubsequences: false).map { $0.trimmedSpaces }
    guard parts.count <= 4, parts.count < 4 || parts[3].isEmpty else {
      throw OptionValueError("at most three comma-separated values: read,write,trim")
    }
    var result = defaults
    var last: Value?
    for (index, direction) in DataDirection.allCases.enumerated() {
      if index < parts.count {
        last = nil
        if parts[index].isEmpty { continue }
        let value = try parse(parts[index])
        result[direction] = value
        last = value
      } else if let last {
        result[direction] = last
      }
    }
    return result
  }
}

extension Substring {
  /// Without leading and trailing blanks.
  var trimmedSpaces: Substring {
    var text = self
    while let first = text.first, first.isWhitespace { text.removeFirst() }
    while let last = text.last, last.isWhitespace { text.removeLast() }
    return text
  }
}
