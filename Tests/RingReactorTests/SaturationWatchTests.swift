import Testing

@testable import RingReactor

@Suite("A thread that does not get to sleep")
struct SaturationWatchTests {
  private static let window = SaturationWatch.windowNanoseconds

  /// Two looks, one window apart, in which the thread has worked for so many percent of the time.
  private func watch(percent: UInt64, window: UInt64 = Self.window) -> SaturationWatch {
    var watch = SaturationWatch()
    watch.look(nowNanoseconds: 1_000_000_000, processorNanoseconds: 77)
    watch.look(nowNanoseconds: 1_000_000_000 + window, processorNanoseconds: 77 + window * percent / 100)
    return watch
  }

  @Test("spins after a window of work", arguments: [0, 50, 92, 93, 100] as [UInt64])
  func share(percent: UInt64) {
    #expect(watch(percent: percent).isSaturated == (percent >= SaturationWatch.saturatedPercent))
  }

  @Test("the first look only begins a window")
  func first() {
    var watch = SaturationWatch()
    watch.look(nowNanoseconds: 1000, processorNanoseconds: 5_000_000_000)
    #expect(!watch.isSaturated)
    #expect(!watch.isDue(nowNanoseconds: 1000 + Self.window - 1))
    #expect(watch.isDue(nowNanoseconds: 1000 + Self.window))
  }

  @Test("a window from long ago says nothing")
  func stale() {
    #expect(watch(percent: 100, window: SaturationWatch.staleWindowNanoseconds).isSaturated)
    #expect(!watch(percent: 100, window: SaturationWatch.staleWindowNanoseconds + 1).isSaturated)
  }

  @Test("sleeping is tried again after a while, for one window")
  func again() {
    var watch = watch(percent: 100)
    let start = 1_000_000_000 + Self.window
    #expect(!watch.isDue(nowNanoseconds: start + SaturationWatch.spinNanoseconds - 1))
    let later = start + SaturationWatch.spinNanoseconds
    #expect(watch.isDue(nowNanoseconds: later))
    watch.look(nowNanoseconds: later, processorNanoseconds: later)
    #expect(!watch.isSaturated)
    watch.look(nowNanoseconds: later + Self.window, processorNanoseconds: later + Self.window)
    #expect(watch.isSaturated)
  }

  @Test("a spin in vain ends it, and a new window begins")
  func vain() {
    var watch = watch(percent: 100)
    watch.spunInVain()
    #expect(!watch.isSaturated)
    #expect(watch.isDue(nowNanoseconds: 1_000_000_000 + Self.window))
    watch.look(nowNanoseconds: 1_000_000_000 + Self.window, processorNanoseconds: 2_000_000_000)
    #expect(!watch.isSaturated)
  }
}
