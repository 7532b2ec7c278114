internal import CLiburing
import Glibc

/// The time all deadlines here are on: nanoseconds of `CLOCK_MONOTONIC`.
public enum MonotonicClock {
  /// Now, in nanoseconds. About 20 ns by the vDSO.
  public static func nanoseconds() -> UInt64 {
    var time = timespec()
    clock_gettime(CLOCK_MONOTONIC, &time)
    return UInt64(time.tv_sec) &* 1_000_000_000 &+ UInt64(time.tv_nsec)
  }
}
