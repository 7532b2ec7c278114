/// Shares in percent with fio's rule that what happened never shows as zero.
enum LatencyShare {
  /// At least 0.01 when `count` is not 0.
  static func percent(_ count: UInt64, of total: UInt64) -> Double {
    guard total > 0, count > 0 else { return 0 }
    return max(0.01, Double(count) * 100 / Double(total))
  }

  /// At least 0.1 when `count` is not 0.
  static func depthPercent(_ count: UInt64, of total: UInt64) -> Double {
    guard total > 0, count > 0 else { return 0 }
    return max(0.1, Double(count) * 100 / Double(total))
  }
}
