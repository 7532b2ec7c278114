@testable import BenchmarkCore

/// A clock that tests drive. Every reading passes some time, a nanosecond by default, so that spinning ends.
final class VirtualTime {
  var now: UInt64 = 1_000_000_000
  var step: UInt64 = 1
}

struct VirtualClock: BenchmarkClock {
  let time: VirtualTime

  mutating func now() -> UInt64 {
    time.now += time.step
    return time.now
  }

  mutating func sleep(nanoseconds: UInt64) { time.now += nanoseconds }
}
