public import ArgumentParser

/// A size on the command line: digits, and K, M, G, T or P for powers of 1024 (also written KiB, MiB, …); kB, MB, … for
/// powers of 1000.
public struct ByteCount: Hashable, Sendable, ExpressibleByArgument, CustomStringConvertible {
  public var value: UInt64

  public init(_ value: UInt64) { self.value = value }

  public init?(argument: String) { self.init(argument) }

  /// Nil for anything that is no size, or more than 64 bits.
  public init?(_ text: some StringProtocol) {
    let digits = text.prefix { $0.isASCII && $0.isNumber }
    let suffix = text.dropFirst(digits.count).lowercased()
    let number: UInt64?
    if digits == "0", suffix.hasPrefix("x") {
      value = 0
      guard let hexadecimal = UInt64(suffix.dropFirst(), radix: 16), !suffix.dropFirst().hasPrefix("+") else {
        return nil
      }
      value = hexadecimal
      return
    }
    number = UInt64(digits)
    guard let number else { return nil }
    guard let factor = Self.factor(suffix) else { return nil }
    let (product, overflow) = number.multipliedReportingOverflow(by: factor)
    if overflow { return nil }
    value = product
  }

  private static func factor(_ suffix: String) -> UInt64? {
    if suffix.isEmpty || suffix == "b" { return 1 }
    guard let power = ["k", "m", "g", "t", "p", "e"].firstIndex(of: String(suffix.prefix(1))) else { return nil }
    switch suffix.dropFirst() {
    case "", "i", "ib": return 1 << (10 * UInt64(power + 1))
    case "b": return (0...power).reduce(1) { product, _ in product * 1000 }
    default: return nil
    }
  }

  public var description: String { String(value) }
}
