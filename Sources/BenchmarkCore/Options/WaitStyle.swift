/// How a job waits for completions.
public enum WaitStyle: String, CaseIterable, Sendable {
  /// Spins where that is likely to be cheaper than sleeping, then sleeps.
  case adaptive
  /// Sleeps in the kernel whenever there is nothing to do.
  case event
  /// Never sleeps.
  case busy

  /// How long before a planned start (of a rated job, or after a think time) a job stops sleeping.
  ///
  /// The kernel wakes a thread tens of microseconds late, which counts into the latency of a rated I/O. Spinning hides
  /// that, and shows as processor time instead: at 10,000 I/Os a second, 100 µs each are a whole processor.
  var spinBeforeStartNanoseconds: UInt64 {
    switch self {
    case .adaptive: 20_000
    case .event: 0
    case .busy: 100_000
    }
  }
}
