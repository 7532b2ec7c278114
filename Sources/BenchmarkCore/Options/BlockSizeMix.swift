/// The block sizes of one direction: `bs`, `bsrange` or `bssplit`. All in bytes.
public enum BlockSizeMix: Sendable, Equatable {
  case fixed(UInt32)
  /// Any multiple of the lower bound up to the upper.
  case range(ClosedRange<UInt32>)
  /// Sizes with their share in percent; the shares add up to 100.
  case split([Share])

  public struct Share: Sendable, Equatable {
    public var bytes: UInt32
    public var percent: Double

    public init(bytes: UInt32, percent: Double) {
      self.bytes = bytes
      self.percent = percent
    }
  }

  public var smallest: UInt32 {
    switch self {
    case .fixed(let bytes): bytes
    case .range(let range): range.lowerBound
    case .split(let shares): shares.lazy.map(\.bytes).min() ?? 4096
    }
  }

  public var largest: UInt32 {
    switch self {
    case .fixed(let bytes): bytes
    case .range(let range): range.upperBound
    case .split(let shares): shares.lazy.map(\.bytes).max() ?? 4096
    }
  }

  public var isFixed: Bool { smallest == largest }

  /// Larger than any MDTS in use, small enough that a depth of thousands stays affordable.
  static let allowedBytes: ClosedRange<UInt32> = 1...(64 << 20)

  static func parseFixed(_ text: Substring, _ context: ValueContext) throws(OptionValueError) -> BlockSizeMix {
    .fixed(try ValueParser.size32(text, context, in: allowedBytes))
  }

  static func parseRange(_ text: Substring, _ context: ValueContext) throws(OptionValueError) -> BlockSizeMix {
    let parts = text.split(omittingEmptySubsequences: false) { $0 == "-" || $0 == ":" }
    guard parts.count == 2 else { throw OptionValueError("a range such as 4k-64k") }
    let first = try ValueParser.size32(parts[0], context, in: allowedBytes)
    let second = try ValueParser.size32(parts[1], context, in: allowedBytes)
    return .range(min(first, second)...max(first, second))
  }

  /// "4k/10:64k/50:32k/": an empty share takes an even part of what is left.
  static func parseSplit(_ text: Substring, _ context: ValueContext) throws(OptionValueError) -> BlockSizeMix {
    var sizes: [UInt32] = []
    var given: [UInt32?] = []
    for part in text.split(separator: ":") {
      let pieces = part.split(separator: "/", omittingEmptySubsequences: false)
      guard pieces.count <= 2 else { throw OptionValueError("size/percent pairs such as 4k/60:64k/40") }
      sizes.append(try ValueParser.size32(pieces[0], context, in: allowedBytes))
      let share = pieces.count == 2 ? pieces[1].trimmedSpaces : ""
      given.append(share.isEmpty ? nil : try ValueParser.percent(share))
    }
    guard !sizes.isEmpty, sizes.count <= 64 else { throw OptionValueError("1 to 64 size/percent pairs") }
    let sum = given.reduce(UInt32(0)) { $0 + ($1 ?? 0) }
    let open = given.count { $0 == nil }
    guard sum <= 100, open > 0 || sum == 100 else {
      throw OptionValueError("percentages that add up to 100 (they add up to \(sum))")
    }
    let rest = open == 0 ? 0 : Double(100 - sum) / Double(open)
    return .split(
      zip(sizes, given).map { size, percent in Share(bytes: size, percent: percent.map(Double.init) ?? rest) })
  }
}
