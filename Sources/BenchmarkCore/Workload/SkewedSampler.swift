internal import Glibc

/// Block numbers 0..<count by one of fio's non-uniform distributions.
public struct SkewedSampler: Sendable {
  private enum Kind: Sendable {
    case zipf(ZipfSampler)
    case pareto(exponent: Double)
    case normal(deviation: Double, center: Double)
    case zoned(accessEnds: [Double], blockEnds: [UInt64])
  }

  private let count: UInt64
  private let kind: Kind
  /// Where rank 0 lies; nil scatters the ranks over the region.
  private let center: UInt64?
  private let scatter: BlockPermutation

  /// nil for the uniform distribution, which needs no sampler. `count` is at least 1.
  public init?(_ distribution: RandomDistribution, count: UInt64, seed: UInt64) {
    self.count = count
    scatter = BlockPermutation(count: count, key: seed)
    var place: Double?
    switch distribution {
    case .uniform:
      return nil
    case .zipf(let theta, let center):
      kind = .zipf(ZipfSampler(count: count, theta: theta))
      place = center
    case .pareto(let power, let center):
      // The share h of accesses is left for the share 1−h of blocks at each scale: x^(log h / log(1−h)).
      kind = .pareto(exponent: log(power) / log(1 - power))
      place = center
    case .normal(let deviationPercent, let center):
      kind = .normal(deviation: deviationPercent / 100 * Double(count), center: center * Double(count))
    case .zoned(let zones):
      var access = 0.0
      var size = 0.0
      var accessEnds: [Double] = []
      var blockEnds: [UInt64] = []
      for zone in zones {
        access += zone.accessPercent / 100
        size += zone.sizePercent / 100
        accessEnds.append(access)
        blockEnds.append(min(count, UInt64((Double(count) * size).rounded())))
      }
      blockEnds[blockEnds.count - 1] = count
      kind = .zoned(accessEnds: accessEnds, blockEnds: blockEnds)
    }
    center = place.map { UInt64(min($0 * Double(count), Double(count - 1))) }
  }

  public func next(_ random: inout RandomGenerator) -> UInt64 {
    switch kind {
    case .zipf(let sampler):
      return place(sampler.next(&random))
    case .pareto(let exponent):
      return place(min(UInt64(Double(count) * pow(random.unit(), exponent)), count - 1))
    case .normal(let deviation, let center):
      // Box and Muller; a draw outside the region is drawn again, so the edges do not collect what lies beyond.
      for _ in 0..<64 {
        let radius = (-2 * log(1 - random.unit())).squareRoot()
        let value = center + deviation * radius * cos(2 * Double.pi * random.unit())
        if value >= 0, value < Double(count) { return min(UInt64(value), count - 1) }
      }
      return random.below(count)
    case .zoned(let accessEnds, let blockEnds):
      let draw = random.unit()
      var start: UInt64 = 0
      for index in accessEnds.indices {
        let end = blockEnds[index]
        if draw < accessEnds[index] || index == accessEnds.count - 1 {
          return end > start ? start + random.below(end - start) : min(start, count - 1)
        }
        start = end
      }
      return 0
    }
  }

  private func place(_ rank: UInt64) -> UInt64 {
    guard let center else { return scatter[rank] }
    // Ranks alternate to both sides of the centre and wrap around the ends of the region.
    let distance = (rank + 1) / 2
    return rank % 2 == 0 ? (center + distance) % count : (center + count - distance % count) % count
  }
}
