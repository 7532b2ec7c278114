import Testing

@testable import RingReactor

/// Counts how it is polled; finds something when told to.
private final class PolledSource: ReactorSource {
  var polls = 0
  var endings = 0
  var runs = 0
  var findsAtPoll = Int.max
  var isPolled = false

  func begin() { isPolled = reactor.startPolling(self) }

  override func poll() -> Bool {
    polls += 1
    guard polls >= findsAtPoll else { return false }
    findsAtPoll = .max
    reactor.markReady(self)
    return true
  }

  override func pollingEnded() {
    isPolled = false
    endings += 1
  }

  override func run() { runs += 1 }
}

@Suite("Polling sources while spinning")
struct PollingTests {
  @Test("only a reactor that spins polls")
  func onlySpinning() throws {
    let reactor = try Reactor(waitPolicy: .eventDriven)
    let source = PolledSource(reactor: reactor)
    source.begin()
    #expect(!source.isPolled)
    reactor.waitPolicy = .adaptive
    source.begin()
    #expect(!source.isPolled, "no sleep has been short yet")
    reactor.waitPolicy = .busyPolling
    source.begin()
    #expect(source.isPolled)
    source.retire()
  }

  @Test("what a poll finds ends the wait, and is run in the same turn")
  func findsInput() throws {
    let reactor = try Reactor(waitPolicy: .busyPolling)
    let source = PolledSource(reactor: reactor)
    source.findsAtPoll = 50
    source.begin()
    reactor.turn(.forever)
    #expect(source.polls == 50)
    #expect(source.runs == 1)
    source.retire()
  }

  @Test("a wait that finds nothing ends in time, and a message ends it early")
  func ends() throws {
    let reactor = try Reactor(waitPolicy: .busyPolling)
    let source = PolledSource(reactor: reactor)
    source.begin()
    let begin = MonotonicClock.nanoseconds()
    reactor.turn(.atMost(nanoseconds: 2_000_000))
    #expect(MonotonicClock.nanoseconds() - begin >= 2_000_000)
    #expect(source.polls > 1)
    nonisolated(unsafe) let shared = source
    reactor.handle.post { _ in shared.runs = 1000 }
    reactor.turn(.forever)
    #expect(source.runs == 1000)
    source.retire()
  }

  @Test("before it sleeps, the reactor tells those it polled")
  func tellsBeforeSleep() throws {
    let reactor = try Reactor(waitPolicy: .busyPolling)
    let source = PolledSource(reactor: reactor)
    source.begin()
    reactor.turn(.none)
    #expect(source.endings == 0)
    reactor.waitPolicy = .eventDriven
    reactor.turn(.atMost(nanoseconds: 1_000_000))
    #expect(source.endings == 1)
    let polls = source.polls
    reactor.turn(.atMost(nanoseconds: 1_000_000))
    #expect(source.polls == polls)
    #expect(source.endings == 1)
    source.retire()
  }

  @Test("few are polled; who stops or goes makes room")
  func bounded() throws {
    let reactor = try Reactor(waitPolicy: .busyPolling)
    let sources = (0..<5).map { _ in PolledSource(reactor: reactor) }
    for source in sources { source.begin() }
    let polled = sources.filter(\.isPolled)
    #expect(!polled.isEmpty && polled.count < sources.count)
    let refused = try #require(sources.first { !$0.isPolled })
    reactor.stopPolling(polled[0])
    refused.begin()
    #expect(refused.isPolled)
    reactor.turn(.none)
    #expect(polled[0].polls == 0)
    #expect(refused.polls == 1)
    for source in sources { source.retire() }
    reactor.turn(.none)
    #expect(refused.polls == 1, "a source that is gone is not called")
  }

  @Test("a foreign event loop is told by descriptors alone: nothing is polled for it")
  func foreignLoop() throws {
    let reactor = try Reactor(waitPolicy: .busyPolling)
    _ = try reactor.pollableFileDescriptor()
    let source = PolledSource(reactor: reactor)
    source.begin()
    #expect(!source.isPolled)
    source.retire()
  }
}
