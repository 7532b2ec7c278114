import Testing

@testable import RingReactor

@Suite("Adaptive spinning")
struct AdaptiveSpinTests {
  private static let short = AdaptiveSpin.shortSleepNanoseconds
  private static let long = AdaptiveSpin.shortSleepNanoseconds + 1

  @Test("nobody spins before a sleep has been short")
  func beginsAsleep() {
    var spin = AdaptiveSpin()
    #expect(spin.budgetNanoseconds == 0)
    for _ in 0..<100 { spin.slept(untilNanoseconds: Self.long) }
    #expect(spin.budgetNanoseconds == 0)
  }

  @Test("a short sleep makes the next wait spin, and it goes on while something is found")
  func spins() {
    var spin = AdaptiveSpin()
    spin.slept(untilNanoseconds: Self.short)
    #expect(spin.budgetNanoseconds == AdaptiveSpin.maximumNanoseconds)
    for _ in 0..<1000 { spin.found() }
    #expect(spin.budgetNanoseconds == AdaptiveSpin.maximumNanoseconds)
  }

  @Test("spinning in vain is ended at once, and tried again ever more rarely")
  func backsOff() {
    var spin = AdaptiveSpin()
    var sleepsBetween: [Int] = []
    spin.slept(untilNanoseconds: Self.short)
    for _ in 0..<14 {
      // In vain.
      spin.slept(untilNanoseconds: AdaptiveSpin.maximumNanoseconds + 20_000)
      #expect(spin.budgetNanoseconds == 0)
      var count = 0
      while spin.budgetNanoseconds == 0 {
        spin.slept(untilNanoseconds: Self.short)
        count += 1
      }
      sleepsBetween.append(count)
    }
    #expect(sleepsBetween.prefix(4) == [2, 3, 5, 9])
    #expect(sleepsBetween.last == Int(AdaptiveSpin.maximumPatience) + 1)
  }

  @Test("long sleeps bring no try nearer")
  func idle() {
    var spin = AdaptiveSpin()
    spin.slept(untilNanoseconds: Self.short)
    spin.slept(untilNanoseconds: Self.long)
    for _ in 0..<10_000 { spin.slept(untilNanoseconds: Self.long) }
    #expect(spin.budgetNanoseconds == 0)
  }

  @Test("a good while is remembered: the next failure costs little")
  func forgives() {
    var spin = AdaptiveSpin()
    spin.slept(untilNanoseconds: Self.short)
    for _ in 0..<10 {
      spin.slept(untilNanoseconds: Self.short)
      while spin.budgetNanoseconds == 0 { spin.slept(untilNanoseconds: Self.short) }
    }
    for _ in 0..<16 { spin.found() }
    spin.slept(untilNanoseconds: Self.short)
    spin.slept(untilNanoseconds: Self.short)
    spin.slept(untilNanoseconds: Self.short)
    #expect(spin.budgetNanoseconds > 0)
  }
}
