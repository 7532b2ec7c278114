import Testing

/// A harness whose time passes only when a test says so, from one deadline of its machine to the next.
protocol VirtualClock {
  var now: UInt64 { get set }
  var nextDeadlineNanoseconds: UInt64? { get }
  /// Tells the machine that its deadline has come.
  mutating func sendDeadline()
}

extension VirtualClock {
  /// Moves the clock to the machine's next deadline. False if it has none.
  @discardableResult
  mutating func passDeadline() -> Bool {
    guard let deadline = nextDeadlineNanoseconds else { return false }
    now = max(now, deadline)
    sendDeadline()
    return true
  }

  /// Lets time pass, the deadlines within it included.
  mutating func pass(milliseconds: UInt64) {
    let end = now + milliseconds * 1_000_000
    var steps = 0
    while let deadline = nextDeadlineNanoseconds, deadline <= end {
      passDeadline()
      steps += 1
      if steps > 100_000 {
        Issue.record("the deadline does not move")
        return
      }
    }
    now = end
  }
}
