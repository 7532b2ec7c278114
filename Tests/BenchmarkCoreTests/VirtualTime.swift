@testable import BenchmarkCore

/// A clock that tests drive. Every reading passes a nanosecond, so that spinning ends.
final class VirtualTime {
  var now: UInt64 = 1_000_000_000
}

struct VirtualClock: BenchmarkClock {
  let time: VirtualTime

  mutating func now() -> UInt64 {
    time.now += 1
    return time.now
  }

  mutating func sleep(nanoseconds: UInt64) { time.now += nanoseconds }
}
