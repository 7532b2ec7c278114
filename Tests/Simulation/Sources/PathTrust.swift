/// What the rules of probation allow, kept apart from what decides: whether a path that has left I/O unanswered may be used
/// beside one that can be trusted.
struct PathTrust {
  private let delaysNanoseconds: ClosedRange<UInt64>
  /// Losses for unanswered I/O, one soon after the other.
  private var lossCount = 0
  private var lastLossNanoseconds: UInt64 = 0
  /// A probe has been answered since the last of them.
  private var hasAnsweredProbe = true
  private var probeNanoseconds: UInt64 = 0

  init(delaysMilliseconds: ClosedRange<UInt32>) {
    delaysNanoseconds =
      UInt64(delaysMilliseconds.lowerBound) * 1_000_000...UInt64(delaysMilliseconds.upperBound) * 1_000_000
  }

  mutating func lost(_ now: UInt64) {
    let isForgotten = hasAnsweredProbe && now - probeNanoseconds >= delaysNanoseconds.upperBound
    lossCount = isForgotten ? 1 : lossCount + 1
    lastLossNanoseconds = now
    hasAnsweredProbe = false
  }

  /// Commands have been aborted for want of an answer. While the path is on probation that is not told apart from the next
  /// chance that it has had in vain.
  mutating func aborted(_ now: UInt64) {
    if hasAnsweredProbe { lost(now) }
  }

  mutating func answeredProbe(_ now: UInt64) {
    hasAnsweredProbe = true
    probeNanoseconds = now
  }

  /// What is wrong with using the path now, beside another one that is trusted; nil when nothing is.
  func problem(_ now: UInt64) -> String? {
    guard lossCount > 0 else { return nil }
    if !hasAnsweredProbe { return "is trusted without having done I/O" }
    let delay = min(delaysNanoseconds.lowerBound << UInt64(min(lossCount, 10) - 1), delaysNanoseconds.upperBound)
    let first = lastLossNanoseconds + delay
    return now < first ? "is used again \((first - now) / 1_000_000) ms too soon" : nil
  }
}
