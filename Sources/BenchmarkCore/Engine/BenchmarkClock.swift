/// The clock that a job measures by: the machine's, or a test's.
public protocol BenchmarkClock {
  /// Nanoseconds since some fixed moment; never goes back.
  mutating func now() -> UInt64
  /// Passes the time without a channel to wait on.
  mutating func sleep(nanoseconds: UInt64)
}
