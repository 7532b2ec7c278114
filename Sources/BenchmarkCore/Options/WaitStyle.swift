/// How a job waits for completions.
public enum WaitStyle: String, CaseIterable, Sendable {
  /// Spins where that is likely to be cheaper than sleeping, then sleeps.
  case adaptive
  /// Sleeps in the kernel whenever there is nothing to do.
  case event
  /// Never sleeps.
  case busy
}
