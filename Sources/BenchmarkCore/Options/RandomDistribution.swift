/// fio's `random_distribution`: how random offsets spread over the region.
public enum RandomDistribution: Sendable, Equatable {
  case uniform
  /// `theta` > 0, not 1 in fio; any positive value here. `center` is the place of the hottest block, 0…1; nil scatters
  /// the hot blocks over the whole region.
  case zipf(theta: Double, center: Double?)
  /// The self-similar form with power `h`, 0 < h < 1: a share of 1−h of the accesses hits a share of h of the blocks.
  case pareto(power: Double, center: Double?)
  /// Gaussian around `center` (0…1) with a standard deviation of `deviationPercent` of the region.
  case normal(deviationPercent: Double, center: Double)
  /// Shares of accesses and of the region, both in percent.
  case zoned([Zone])

  public struct Zone: Sendable, Equatable {
    public var accessPercent: Double
    public var sizePercent: Double

    public init(accessPercent: Double, sizePercent: Double) {
      self.accessPercent = accessPercent
      self.sizePercent = sizePercent
    }
  }

  static func parse(_ text: Substring) throws(OptionValueError) -> RandomDistribution {
    let parts = text.split(separator: ":", omittingEmptySubsequences: false).map { $0.trimmedSpaces }
    let kind = parts[0].lowercased()
    func number(_ index: Int, default value: Double, _ range: ClosedRange<Double>) throws(OptionValueError) -> Double {
      guard index < parts.count else { return value }
      guard let parsed = Double(parts[index]), range.contains(parsed) else {
        throw OptionValueError("a number from \(range.lowerBound) to \(range.upperBound) after '\(kind):'")
      }
      return parsed
    }
    func center() throws(OptionValueError) -> Double? {
      parts.count > 2 ? try number(2, default: 0, 0...1) : nil
    }
    guard parts.count <= 3 || kind == "zoned" else { throw OptionValueError("at most two numbers after '\(kind)'") }
    switch kind {
    case "random", "uniform":
      return .uniform
    case "zipf":
      return .zipf(theta: try number(1, default: 1.1, 0.01...20), center: try center())
    case "pareto":
      return .pareto(power: try number(1, default: 0.2, 0.001...0.999), center: try center())
    case "normal", "gauss":
      return .normal(deviationPercent: try number(1, default: 10, 0.001...100), center: try center() ?? 0.5)
    case "zoned":
      var zones: [Zone] = []
      for part in parts.dropFirst() {
        let pieces = part.split(separator: "/")
        guard pieces.count == 2, let access = Double(pieces[0]), let size = Double(pieces[1]), access >= 0, size > 0
        else { throw OptionValueError("access/size percentages such as zoned:60/10:40/90") }
        zones.append(Zone(accessPercent: access, sizePercent: size))
      }
      let access = zones.reduce(0) { $0 + $1.accessPercent }
      let size = zones.reduce(0) { $0 + $1.sizePercent }
      guard !zones.isEmpty, zones.count <= 256, abs(access - 100) < 0.01, abs(size - 100) < 0.01 else {
        throw OptionValueError("1 to 256 zones whose access and size percentages each add up to 100")
      }
      return .zoned(zones)
    default:
      throw OptionValueError("random, zipf:θ, pareto:h, normal:deviation or zoned:access/size:…")
    }
  }
}
