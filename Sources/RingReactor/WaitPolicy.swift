/// How a reactor passes the time of a turn that may wait.
public enum WaitPolicy: String, Sendable, Hashable, CaseIterable {
  /// Spins for as long as that is likely to be cheaper than sleeping, then sleeps in the kernel: the latency of the one
  /// for the price of the other. Idle costs nothing.
  case adaptive
  /// Sleeps in the kernel whenever there is nothing to do.
  case eventDriven
  /// Never sleeps: the lowest latency for a whole processor.
  case busyPolling
}
