/// What some bits of a field mean, for `--human-readable`.
struct BitDescription: Sendable {
  var bits: ClosedRange<Int>
  var meaning: @Sendable (UInt64) -> String

  /// One bit.
  static func bit(_ index: Int, _ set: String, unset: String? = nil) -> BitDescription {
    BitDescription(bits: index...index) { $0 == 1 ? set : unset ?? set + ": no" }
  }

  /// A bit that says whether something is supported.
  static func support(_ index: Int, _ what: String) -> BitDescription {
    bit(index, what + " supported", unset: what + " not supported")
  }

  /// Several bits whose values have names; others are reserved.
  static func values(_ bits: ClosedRange<Int>, _ names: [UInt64: String]) -> BitDescription {
    BitDescription(bits: bits) { names[$0] ?? "reserved" }
  }

  /// Several bits that are a number.
  static func number(_ bits: ClosedRange<Int>, _ text: @escaping @Sendable (UInt64) -> String) -> BitDescription {
    BitDescription(bits: bits, meaning: text)
  }

  /// The line under the field: "  [3:3] : 0x1	ANA reporting supported".
  func line(of value: UInt64) -> String {
    let width = bits.count
    let mask: UInt64 = width >= 64 ? .max : (1 << UInt64(width)) - 1
    let part = value >> UInt64(bits.lowerBound) & mask
    let digits = part == 0 ? "0" : "0x" + String(part, radix: 16)
    return "  [\(bits.upperBound):\(bits.lowerBound)] : \(digits)\t\(meaning(part))"
  }
}
