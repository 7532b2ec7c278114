import RingReactor

/// A source that does what a test tells it to.
final class TestSource: ReactorSource {
  var onCompleted: (TestSource, RingCompletion) -> Void = { _, _ in }
  var onFlush: (TestSource) -> Void = { _ in }
  var onRun: (TestSource) -> Void = { _ in }
  var onDeadline: (TestSource) -> Void = { _ in }
  var onEnding: (TestSource) -> Void = { _ in }
  var onDeinit: () -> Void = {}
  private(set) var runCount = 0
  private(set) var flushCount = 0
  private(set) var deadlineCount = 0

  override func completed(_ completion: RingCompletion) { onCompleted(self, completion) }

  override func flush() {
    flushCount += 1
    onFlush(self)
  }

  override func run() {
    runCount += 1
    onRun(self)
  }

  override func deadlineExpired() {
    deadlineCount += 1
    onDeadline(self)
  }

  override func reactorIsEnding() { onEnding(self) }

  deinit { onDeinit() }
}

/// Turns until the condition holds. False only when something hangs: the time is no part of what is tested.
func turn(_ reactor: Reactor, until condition: () -> Bool) -> Bool {
  reactor.turn(untilNanoseconds: MonotonicClock.nanoseconds() + 30_000_000_000, while: { !condition() })
}
