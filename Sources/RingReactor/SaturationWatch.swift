/// Whether a thread that sleeps between many answers gets to sleep at all: sans-I/O, times in, an opinion out.
///
/// With many answers on their way a wake-up brings several of them, and sleeping saves processor time that spinning would
/// burn. But a thread that is at work nearly all the time saves nothing by it, and pays for sleeping and for being woken,
/// as does whoever wakes it. So: while such a thread has worked through nearly all of a short window it spins for a while,
/// until the next window; a spin that finds nothing in time ends that at once.
struct SaturationWatch {
  /// So long is looked at, at least; a window that has become much longer says nothing of the present load.
  static let windowNanoseconds: UInt64 = 2_000_000
  static let staleWindowNanoseconds: UInt64 = 8_000_000
  /// For so long the thread spins before it sleeps for a window again.
  static let spinNanoseconds: UInt64 = 200_000_000
  /// Of the window, processor time of the thread.
  static let saturatedPercent: UInt64 = 93

  /// Longer than the pauses of a controller that works through a batch.
  static let mostSpinNanoseconds: UInt64 = 200_000

  private(set) var isSaturated = false
  /// Nil before the first window.
  private var windowStartNanoseconds: UInt64?
  private var processorNanosecondsAtStart: UInt64 = 0
  private var nextLookNanoseconds: UInt64 = 0

  /// Whether it is time for ``look(nowNanoseconds:processorNanoseconds:)``. (For the path of every I/O.)
  func isDue(nowNanoseconds now: UInt64) -> Bool { now >= nextLookNanoseconds }

  /// Takes in how much processor time the thread has used so far.
  mutating func look(nowNanoseconds now: UInt64, processorNanoseconds used: UInt64) {
    if !isSaturated, let start = windowStartNanoseconds, now &- start <= Self.staleWindowNanoseconds,
      (used &- processorNanosecondsAtStart) &* 100 >= (now &- start) &* Self.saturatedPercent
    {
      isSaturated = true
      nextLookNanoseconds = now &+ Self.spinNanoseconds
      return
    }
    isSaturated = false
    windowStartNanoseconds = now
    processorNanosecondsAtStart = used
    nextLookNanoseconds = now &+ Self.windowNanoseconds
  }

  /// Spinning has found nothing in time.
  mutating func spunInVain() {
    isSaturated = false
    windowStartNanoseconds = nil
    nextLookNanoseconds = 0
  }
}
