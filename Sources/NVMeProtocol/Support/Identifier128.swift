/// Sixteen bytes that identify something: a UUID, an NGUID, a host identifier. Kept in wire order, byte 0 being the
/// most significant byte of `high`.
@frozen
public struct Identifier128: Hashable, Sendable {
  public var high: UInt64
  public var low: UInt64

  @inlinable
  public init(high: UInt64 = 0, low: UInt64 = 0) {
    self.high = high
    self.low = low
  }

  /// Nil unless there are exactly 16 bytes.
  public init?(bytes: some Collection<UInt8>) {
    guard bytes.count == 16 else { return nil }
    self.init()
    for (index, byte) in bytes.enumerated() {
      if index < 8 { high = high << 8 | UInt64(byte) } else { low = low << 8 | UInt64(byte) }
    }
  }

  /// From 32 hexadecimal digits, hyphens allowed anywhere between them; nil for anything else.
  public init?(_ text: some StringProtocol) {
    var digits = 0
    self.init()
    for character in text.utf8 where character != UInt8(ascii: "-") {
      let digit: UInt8
      switch character {
      case UInt8(ascii: "0")...UInt8(ascii: "9"): digit = character - UInt8(ascii: "0")
      case UInt8(ascii: "a")...UInt8(ascii: "f"): digit = character - UInt8(ascii: "a") + 10
      case UInt8(ascii: "A")...UInt8(ascii: "F"): digit = character - UInt8(ascii: "A") + 10
      default: return nil
      }
      guard digits < 32 else { return nil }
      if digits < 16 { high = high << 4 | UInt64(digit) } else { low = low << 4 | UInt64(digit) }
      digits += 1
    }
    guard digits == 32 else { return nil }
  }

  public var isZero: Bool { high == 0 && low == 0 }

  /// Sixteen bytes in wire order.
  public var bytes: [UInt8] {
    (0..<16).map { UInt8(truncatingIfNeeded: ($0 < 8 ? high : low) >> UInt64(56 - $0 % 8 * 8)) }
  }

  /// 32 lower-case hexadecimal digits.
  public var hexadecimalString: String { text(hyphensBefore: 0) }

  /// The usual form of a UUID, lower case: 8-4-4-4-12.
  public var uuidString: String { text(hyphensBefore: 1 << 8 | 1 << 12 | 1 << 16 | 1 << 20) }

  /// - Parameter hyphensBefore: bit n: one stands in front of digit n.
  private func text(hyphensBefore: UInt32) -> String {
    String(unsafeUninitializedCapacity: 36) { bytes in
      var count = 0
      for digit in 0..<32 {
        if hyphensBefore >> UInt32(digit) & 1 != 0 {
          bytes.initializeElement(at: count, to: UInt8(ascii: "-"))
          count += 1
        }
        let nibble = UInt8(truncatingIfNeeded: (digit < 16 ? high : low) >> UInt64(60 - 4 * (digit & 15))) & 15
        bytes.initializeElement(
          at: count, to: nibble < 10 ? UInt8(ascii: "0") + nibble : UInt8(ascii: "a") + nibble - 10)
        count += 1
      }
      return count
    }
  }
}

extension Identifier128: CustomStringConvertible {
  public var description: String { uuidString }
}
