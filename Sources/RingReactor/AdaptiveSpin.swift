/// How long to spin before sleeping, learnt from how long the latest waits were: sans-I/O, times in, a budget out.
///
/// Waking a thread that sleeps takes time, on a virtual machine a multiple of what a target on the same network takes to
/// answer. Spinning is worth its processor time where what is waited for comes within the time that waking up would take.
/// So: after a short sleep spinning is tried; as long as it finds something in time it goes on; a wait that it did not see
/// the end of ends it, and the next tries are made ever more rarely.
struct AdaptiveSpin {
  /// Nobody spins for longer at a time.
  static let maximumNanoseconds: UInt64 = 60_000
  /// A sleep no longer than this, the time of waking up included, might have been saved by spinning.
  static let shortSleepNanoseconds: UInt64 = 200_000
  /// Short sleeps between one failed try and the next, at most.
  static let maximumPatience: UInt32 = 1024

  /// What the next wait may spend spinning; 0 = sleep at once.
  private(set) var budgetNanoseconds: UInt64 = 0
  /// Short sleeps still to come before the next try.
  private var patience: UInt32 = 0
  private var nextPatience: UInt32 = 1
  private var successes: UInt32 = 0

  /// Spinning has found something.
  mutating func found() {
    successes &+= 1
    // Worth it for a while: an occasional failure later on is forgiven sooner.
    if successes >= 16 { nextPatience = 1 }
  }

  /// The wait ended in a sleep, spinning (if there was any) included.
  mutating func slept(untilNanoseconds time: UInt64) {
    if budgetNanoseconds > 0 {
      // Spinning has failed.
      budgetNanoseconds = 0
      successes = 0
      patience = nextPatience
      nextPatience = min(nextPatience &* 2, Self.maximumPatience)
      return
    }
    guard time <= Self.shortSleepNanoseconds else { return }
    if patience > 0 {
      patience -= 1
      return
    }
    budgetNanoseconds = Self.maximumNanoseconds
  }
}
