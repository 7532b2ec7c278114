import CEpoll
import Glibc
import RingReactor
import TestSupport
import Testing

@Suite("A reactor in a foreign event loop")
struct ForeignEventLoopTests {
  /// An epoll loop of somebody else's, which knows one descriptor of ours.
  private final class Loop {
    let reactor: Reactor
    private let epoll: Int32

    init(_ reactor: Reactor) throws {
      self.reactor = reactor
      epoll = cepoll_make(try reactor.pollableFileDescriptor())
      precondition(epoll >= 0)
    }

    deinit { close(epoll) }

    /// Runs until the condition holds; false when the descriptor was not readable for half a minute.
    func run(until condition: () -> Bool) -> Bool {
      reactor.turnFromEventLoop()
      while !condition() {
        let count = cepoll_wait(epoll, 30_000)
        if count == 0 { return false }
        if count > 0 { reactor.turnFromEventLoop() }
      }
      return true
    }

    /// True when the loop would sleep.
    var isQuiet: Bool { cepoll_wait(epoll, 0) == 0 }
  }

  @Test("deadlines arrive, also nearer ones set later")
  func timers() throws {
    let reactor = try Reactor()
    let loop = try Loop(reactor)
    let far = TestSource(reactor: reactor)
    let near = TestSource(reactor: reactor)
    reactor.setDeadline(MonotonicClock.nanoseconds() + 10_000_000_000, of: far)
    far.onDeadline = {
      if $0.deadlineCount < 5 { $0.reactor.setDeadline($0.reactor.nowNanoseconds + 1_000_000, of: $0) }
    }
    reactor.turnFromEventLoop()
    reactor.setDeadline(MonotonicClock.nanoseconds() + 10_000_000, of: near)
    #expect(loop.run { near.deadlineCount == 1 })
    #expect(far.deadlineCount == 0)
    reactor.setDeadline(MonotonicClock.nanoseconds() + 1_000_000, of: far)
    reactor.turnFromEventLoop()
    #expect(loop.run { far.deadlineCount == 5 })
    near.retire()
    far.retire()
  }

  @Test("messages and wakes arrive")
  func mailbox() throws {
    let reactor = try Reactor()
    let loop = try Loop(reactor)
    let source = TestSource(reactor: reactor)
    nonisolated(unsafe) var count = 0
    let handle = reactor.handle
    let identifier = source.identifier
    let thread = TestThread {
      for _ in 0..<1000 {
        handle.post { _ in count += 1 }
        usleep(10)
      }
      handle.wake(identifier)
    }
    #expect(loop.run { count == 1000 && source.runCount == 1 })
    thread.join()
    source.retire()
  }

  @Test("sockets work, and the loop sleeps when there is nothing to do")
  func sockets() throws {
    let reactor = try Reactor()
    let loop = try Loop(reactor)
    let listener = try ListenerSource(reactor: reactor)
    listener.echoes = true
    let client = SocketSource(reactor: reactor)
    try client.connect(to: listener.address)
    #expect(loop.run { client.events == [.connected] })
    let bytes = [UInt8](repeating: 5, count: 1_000_000)
    client.send(bytes)
    #expect(loop.run { client.received.count == bytes.count })
    reactor.turnFromEventLoop()
    #expect(loop.isQuiet)
    client.close()
    #expect(loop.run { listener.connections[0].events.last == .endOfStream })
    listener.connections[0].close()
    listener.close()
    #expect(loop.run { reactor.sourceCount == 0 })
  }

  @Test("a job that makes another job, and a source that flushes into another one's run, are not left lying")
  func chains() throws {
    let reactor = try Reactor()
    let loop = try Loop(reactor)
    let handle = reactor.handle
    nonisolated(unsafe) var isDone = false
    let source = TestSource(reactor: reactor)
    source.onFlush = { $0.reactor.markReady($0) }
    source.onRun = {
      if $0.runCount < 50 {
        $0.reactor.markDirty($0)
      } else {
        Task(executorPreference: handle) {
          for _ in 0..<50 { await Task.yield() }
          isDone = true
        }
      }
    }
    reactor.markReady(source)
    #expect(loop.run { isDone })
    source.retire()
  }

  @Test("one call does not last for ever, however much there is to do")
  func bounded() throws {
    let reactor = try Reactor()
    let loop = try Loop(reactor)
    let source = TestSource(reactor: reactor)
    source.onRun = { if $0.runCount < 100_000 { $0.reactor.markDirty($0) } }
    source.onFlush = { $0.reactor.markReady($0) }
    reactor.markReady(source)
    reactor.turnFromEventLoop()
    #expect(source.runCount < 100_000)
    #expect(!loop.isQuiet)
    #expect(loop.run { source.runCount == 100_000 })
    source.retire()
  }
}
