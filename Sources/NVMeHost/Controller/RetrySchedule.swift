/// When something that has failed is tried again: after a second, then after twice as long each time, up to about a minute.
struct RetrySchedule: Sendable {
  private static let firstNanoseconds: UInt64 = 1_000_000_000
  private static let maximumDoublings = 6

  /// `.max`: there is nothing to try again.
  private(set) var deadlineNanoseconds: UInt64 = .max
  private var failureCount = 0

  mutating func failed(_ now: UInt64) {
    deadlineNanoseconds = now &+ Self.firstNanoseconds << UInt64(min(failureCount, Self.maximumDoublings))
    failureCount += 1
  }

  mutating func succeeded() { self = RetrySchedule() }

  /// It is being tried, or is not to be any more.
  mutating func cancel() { deadlineNanoseconds = .max }

  /// Whether it is time; once.
  mutating func takeDue(_ now: UInt64) -> Bool {
    guard deadlineNanoseconds <= now else { return false }
    deadlineNanoseconds = .max
    return true
  }
}
