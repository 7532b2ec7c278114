internal import Glibc

/// CLOCK_MONOTONIC: about 20 ns a reading through the vDSO, and the same clock that reactors use.
public struct SystemClock: BenchmarkClock, Sendable {
  public init() {}

  @inline(__always)
  public func now() -> UInt64 {
    var time = timespec()
    clock_gettime(CLOCK_MONOTONIC, &time)
    return UInt64(bitPattern: Int64(time.tv_sec)) &* 1_000_000_000 &+ UInt64(bitPattern: Int64(time.tv_nsec))
  }

  public func sleep(nanoseconds: UInt64) {
    var time = timespec(tv_sec: Int(nanoseconds / 1_000_000_000), tv_nsec: Int(nanoseconds % 1_000_000_000))
    nanosleep(&time, nil)
  }
}
