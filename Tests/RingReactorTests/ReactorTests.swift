import Glibc
import RingReactor
import Synchronization
import TestSupport
import Testing

@Suite("Reactor")
struct ReactorTests {
  @Test("deadlines expire in their order, moved and unset ones as they stand")
  func timers() throws {
    let reactor = try Reactor()
    var order: [Int] = []
    let now = MonotonicClock.nanoseconds()
    let sources = (0..<20).map { index in
      let source = TestSource(reactor: reactor)
      source.onDeadline = { _ in order.append(index) }
      return source
    }
    for (index, source) in sources.enumerated() {
      reactor.setDeadline(now + UInt64(30 - index) * 1_000_000, of: source)
    }
    reactor.setDeadline(nil, of: sources[3])
    reactor.setDeadline(now + 1, of: sources[7])
    reactor.setDeadline(nil, of: sources[8])
    reactor.setDeadline(now + 31_000_000, of: sources[8])
    #expect(turn(reactor) { order.count == 19 })
    #expect(order == [7] + (0..<20).reversed().filter { ![3, 7, 8].contains($0) } + [8])
    // None comes twice.
    reactor.turn(.atMost(nanoseconds: 1_000_000))
    #expect(order.count == 19)
    for source in sources { source.retire() }
    #expect(reactor.sourceCount == 0)
  }

  @Test("a deadline that is moved again and again neither grows the heap nor gets lost")
  func movedDeadline() throws {
    let reactor = try Reactor()
    let source = TestSource(reactor: reactor)
    let now = MonotonicClock.nanoseconds()
    for index in 0..<10_000 { reactor.setDeadline(now + 10_000_000_000 + UInt64(index), of: source) }
    reactor.setDeadline(now + 1, of: source)
    #expect(turn(reactor) { source.deadlineCount == 1 })
    source.retire()
  }

  @Test("a source whose deadline has always passed already does not hold up the others")
  func pastDeadline() throws {
    let reactor = try Reactor()
    let greedy = TestSource(reactor: reactor)
    greedy.onDeadline = { $0.reactor.setDeadline($0.reactor.nowNanoseconds - UInt64($0.deadlineCount), of: $0) }
    reactor.setDeadline(1, of: greedy)
    let other = TestSource(reactor: reactor)
    reactor.setDeadline(MonotonicClock.nanoseconds() + 1_000_000, of: other)
    #expect(turn(reactor) { other.deadlineCount == 1 })
    greedy.retire()
    other.retire()
  }

  @Test("a turn that waits for so long returns, and one that finds work does not wait")
  func waiting() throws {
    let reactor = try Reactor()
    #expect(reactor.turn(.atMost(nanoseconds: 1_000_000)) == 0)
    let source = TestSource(reactor: reactor)
    reactor.markReady(source)
    reactor.markReady(source)
    #expect(reactor.turn(.forever) > 0)
    #expect(source.runCount == 1)
    reactor.markDirty(source)
    reactor.markDirty(source)
    source.onFlush = { $0.reactor.markReady($0) }
    #expect(reactor.turn(.forever) > 0)
    #expect(source.flushCount == 1 && source.runCount == 2)
    source.retire()
  }

  @Test("a source may retire in any of its methods; it is let go of after the turn")
  func retireInCallback() throws {
    let reactor = try Reactor()
    var ended = 0
    func make() -> TestSource {
      let source = TestSource(reactor: reactor)
      source.onDeinit = { ended += 1 }
      return source
    }
    do {
      make().onRun = { $0.retire() }
      let ready = make()
      ready.onRun = {
        $0.retire()
        // Retiring twice, and asking for something afterwards, is nothing.
        $0.retire()
        $0.reactor.markReady($0)
        $0.reactor.markDirty($0)
        $0.reactor.setDeadline(1, of: $0)
      }
      reactor.markReady(ready)
      let dirty = make()
      dirty.onFlush = { $0.retire() }
      reactor.markDirty(dirty)
      let late = make()
      late.onDeadline = { $0.retire() }
      reactor.setDeadline(1, of: late)
    }
    #expect(reactor.sourceCount == 4)
    #expect(turn(reactor) { reactor.sourceCount == 1 && ended == 3 })
  }

  @Test("a source that has retired cannot disturb the one that has its place now")
  func staleSource() throws {
    let reactor = try Reactor()
    let old = TestSource(reactor: reactor)
    old.retire()
    let new = TestSource(reactor: reactor)
    reactor.markDirty(old)
    reactor.setDeadline(1, of: old)
    reactor.markReady(old)
    reactor.turn(.none)
    #expect(old.runCount == 0 && old.flushCount == 0 && old.deadlineCount == 0)
    #expect(new.runCount == 0 && new.flushCount == 0 && new.deadlineCount == 0)
    reactor.markDirty(new)
    reactor.markReady(new)
    reactor.turn(.none)
    #expect(new.runCount == 1 && new.flushCount == 1)
    new.retire()
  }

  @Test("messages of many threads all arrive, each thread's in order; wakes are not one a message")
  func mailbox() throws {
    let reactor = try Reactor()
    let threadCount = 4
    let messageCount = 5000
    nonisolated(unsafe) var seen: [[Int]] = Array(repeating: [], count: threadCount)
    let source = TestSource(reactor: reactor)
    let identifier = source.identifier
    let handle = reactor.handle
    let threads = (0..<threadCount).map { thread in
      TestThread {
        for index in 0..<messageCount {
          if !handle.post({ _ in seen[thread].append(index) }) { Issue.record("a message was refused") }
          if index % 100 == 0 { handle.wake(identifier) }
        }
      }
    }
    #expect(turn(reactor) { seen.allSatisfy { $0.count == messageCount } })
    for thread in threads { thread.join() }
    #expect(seen.allSatisfy { $0 == Array(0..<messageCount) })
    #expect(turn(reactor) { source.runCount > 0 })
    #expect(source.runCount <= threadCount * messageCount / 100)
    source.retire()
    #expect(handle.wake(identifier), "a source that is gone is passed over")
    reactor.turn(.atMost(nanoseconds: 1_000_000))
  }

  @Test("a sleeping turn is woken")
  func wake() throws {
    let reactor = try Reactor()
    let handle = reactor.handle
    for _ in 0..<100 {
      let thread = TestThread { handle.wake() }
      reactor.turn(.forever)
      thread.join()
    }
  }

  @Test("messages posted while messages are handled come in a later turn")
  func nestedPosts() throws {
    let reactor = try Reactor()
    nonisolated(unsafe) var order: [Int] = []
    let handle = reactor.handle
    handle.post { _ in
      order.append(1)
      handle.post { _ in order.append(3) }
    }
    handle.post { _ in order.append(2) }
    #expect(turn(reactor) { order.count == 3 })
    #expect(order == [1, 2, 3])
  }

  @Test("a handle that outlives its reactor refuses")
  func gone() throws {
    var reactor: Reactor? = try Reactor()
    let handle = reactor!.handle
    #expect(handle.isCurrentThread)
    reactor = nil
    #expect(!handle.isCurrentThread)
    #expect(!handle.post { _ in Issue.record("ran") })
    handle.wake()
  }

  @Test("what was accepted is carried out even when the reactor ends first")
  func lastMessages() throws {
    nonisolated(unsafe) var ran = 0
    var reactor: Reactor? = try Reactor()
    let handle = reactor!.handle
    handle.post { _ in
      ran += 1
      #expect(!handle.post { _ in ran += 1 })
    }
    var endings = 0
    let source = TestSource(reactor: reactor!)
    source.onEnding = { _ in endings += 1 }
    reactor = nil
    #expect(ran == 1 && endings == 1)
  }

  @Test("a submission ring that is full does not lose an entry")
  func fullRing() throws {
    let reactor = try Reactor(submissionEntries: 4, completionEntries: 8)
    let listener = try ListenerSource(reactor: reactor)
    listener.echoes = true
    let clients = try (0..<40).map { _ in
      let client = SocketSource(reactor: reactor)
      try client.connect(to: listener.address)
      return client
    }
    #expect(turn(reactor) { clients.allSatisfy { $0.events.first == .connected } })
    for (index, client) in clients.enumerated() { client.send(Array(repeating: UInt8(index), count: 100)) }
    #expect(turn(reactor) { clients.allSatisfy { $0.received.count == 100 } })
    for (index, client) in clients.enumerated() { #expect(client.received.allSatisfy { $0 == UInt8(index) }) }
    for client in clients + listener.connections { client.close() }
    listener.close()
    #expect(turn(reactor) { reactor.sourceCount == 0 })
  }
}
