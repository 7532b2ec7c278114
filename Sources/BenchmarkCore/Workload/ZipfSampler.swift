internal import Glibc

/// Ranks 0..<count with probability proportional to (rank + 1)^−θ, by rejection from the inverted integral
/// (W. Hörmann, G. Derflinger, "Rejection-inversion to generate variates from monotone discrete distributions", 1996).
/// Constant time and memory for any count; θ = 1 included.
public struct ZipfSampler: Sendable {
  private let count: Double
  private let theta: Double
  private let integralAtOneAndHalf: Double
  private let integralAtEnd: Double
  private let shortcut: Double

  public init(count: UInt64, theta: Double) {
    self.count = Double(count)
    self.theta = theta
    integralAtOneAndHalf = Self.integral(1.5, theta) - 1
    integralAtEnd = Self.integral(Double(count) + 0.5, theta)
    shortcut = 2 - Self.inverse(Self.integral(2.5, theta) - pow(2, -theta), theta)
  }

  /// ∫ x^−θ dx, shifted so that it is continuous in θ at 1.
  private static func integral(_ x: Double, _ theta: Double) -> Double {
    let logarithm = log(x)
    return quotient((1 - theta) * logarithm) * logarithm
  }

  private static func inverse(_ x: Double, _ theta: Double) -> Double {
    var t = x * (1 - theta)
    if t < -1 { t = -1 }
    return exp(logQuotient(t) * x)
  }

  /// (e^x − 1) / x without loss near 0.
  private static func quotient(_ x: Double) -> Double {
    abs(x) > 1e-8 ? expm1(x) / x : 1 + x / 2 * (1 + x / 3)
  }

  /// ln(1 + x) / x without loss near 0.
  private static func logQuotient(_ x: Double) -> Double {
    abs(x) > 1e-8 ? log1p(x) / x : 1 - x * (0.5 - x / 3)
  }

  public func next(_ random: inout RandomGenerator) -> UInt64 {
    // The acceptance rate is above 70 % for all θ; the bound only keeps rounding at extreme θ from looping.
    for _ in 0..<64 {
      let u = integralAtEnd + random.unit() * (integralAtOneAndHalf - integralAtEnd)
      let x = Self.inverse(u, theta)
      let k = min(max((x + 0.5).rounded(.down), 1), count)
      if k - x <= shortcut || u >= Self.integral(k + 0.5, theta) - pow(k, -theta) { return UInt64(k) - 1 }
    }
    return 0
  }
}
