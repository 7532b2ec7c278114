/// A span of time at whose end it is asked how much three counters, one a direction, have grown in it. Then the next one
/// begins.
struct SampleWindow {
  private let length: UInt64
  private var start: UInt64 = 0
  private var counts: (UInt64, UInt64, UInt64) = (0, 0, 0)

  init(nanoseconds: UInt64) {
    length = max(nanoseconds, 1_000_000)
  }

  /// Begins with counters at zero.
  mutating func begin(at now: UInt64) {
    start = now
    counts = (0, 0, 0)
  }

  /// What the counters have grown by, and in how many nanoseconds; nil while the window lasts.
  mutating func sample(
    _ now: UInt64, _ newCounts: (UInt64, UInt64, UInt64)
  ) -> (elapsed: UInt64, added: (UInt64, UInt64, UInt64))? {
    let elapsed = now - start
    guard elapsed >= length else { return nil }
    let added = (newCounts.0 - counts.0, newCounts.1 - counts.1, newCounts.2 - counts.2)
    counts = newCounts
    start = now
    return (elapsed, added)
  }
}
