import Glibc
import RingReactor
import Synchronization
import TestSupport
import Testing

@Suite("Reactor threads, executors and names")
struct ReactorThreadTests {
  @Test("work is done on the thread, whatever the way of waiting", arguments: [false, true])
  func perform(busy: Bool) async throws {
    let thread = try ReactorThread(
      name: "test-reactor-with-a-long-name", waitPolicy: busy ? .busyPolling : .eventDriven)
    let handle = thread.handle
    #expect(!handle.isCurrentThread)
    let isInside = try await handle.perform { $0.handle.isCurrentThread }
    #expect(isInside)
    struct Oops: Error {}
    await #expect(throws: Oops.self) { try await handle.perform { _ in throw Oops() } }
    thread.stop()
    thread.stop()
    await #expect(throws: ReactorGone.self) { try await handle.perform { _ in } }
  }

  @Test("a nice thread makes way for others, and it alone")
  func niceness() async throws {
    let which = Int32(PRIO_PROCESS.rawValue)
    let before = getpriority(which, 0)
    let thread = try ReactorThread(niceness: 5)
    let other = try ReactorThread()
    #expect(try await thread.handle.perform { _ in getpriority(which, 0) } == min(before + 5, 19))
    #expect(try await other.handle.perform { _ in getpriority(which, 0) } == before)
    #expect(getpriority(which, UInt32(getpid())) == before)
  }

  @Test("tasks that prefer the reactor run on its thread, and are not lost when it stops")
  func executor() async throws {
    let thread = try ReactorThread()
    let handle = thread.handle
    let wasInside = await withTaskExecutorPreference(handle) { () async -> Bool in
      var isInside = true
      for _ in 0..<100 {
        await Task.yield()
        isInside = isInside && handle.isCurrentThread
      }
      return isInside
    }
    #expect(wasInside)
    let count = await withTaskGroup(of: Int.self) { group in
      for index in 0..<200 {
        group.addTask(executorPreference: handle) {
          for _ in 0..<50 { await Task.yield() }
          return 1
        }
        if index == 100 { thread.stop() }
      }
      return await group.reduce(0, +)
    }
    #expect(count == 200)
  }

  private actor Resident {
    private let handle: ReactorHandle
    init(_ handle: ReactorHandle) { self.handle = handle }
    nonisolated var unownedExecutor: UnownedSerialExecutor { handle.asUnownedSerialExecutor() }

    func isInside(rounds: Int) async -> Bool {
      var isInside = true
      for _ in 0..<rounds {
        await Task.yield()
        assertIsolated()
        isInside = isInside && handle.isCurrentThread
      }
      return isInside
    }
  }

  @Test("an actor whose executor is the reactor runs on its thread, called from anywhere", arguments: [false, true])
  func actor(prefersReactor: Bool) async throws {
    let thread = try ReactorThread()
    let handle = thread.handle
    let resident = Resident(handle)
    let preference: ReactorHandle? = prefersReactor ? handle : nil
    let answers = await withTaskGroup(of: Bool.self) { group in
      for _ in 0..<20 { group.addTask(executorPreference: preference) { await resident.isInside(rounds: 20) } }
      return await group.reduce(into: []) { $0.append($1) }
    }
    #expect(answers == Array(repeating: true, count: 20))
    thread.stop()
  }

  @Test("nobody waits for ever for a reactor that is stopped meanwhile")
  func stopRace() async throws {
    for _ in 0..<20 {
      let thread = try ReactorThread()
      let handle = thread.handle
      let answers = await withTaskGroup(of: Bool.self) { group in
        for _ in 0..<50 { group.addTask { (try? await handle.perform { _ in true }) ?? false } }
        group.addTask {
          thread.stop()
          return true
        }
        return await group.reduce(0) { count, _ in count + 1 }
      }
      #expect(answers == 51)
    }
  }

  @Test("stopped from within, and let go of from within")
  func stopFromInside() async throws {
    let thread = try ReactorThread()
    try await thread.handle.perform { _ in thread.stop() }
    let handle: ReactorHandle
    do {
      let other = try ReactorThread()
      handle = other.handle
      handle.post { _ in withExtendedLifetime(other) {} }
    }
    while handle.post({ _ in }) { usleep(1000) }
  }

  @Test("a thread that is stopped with connections open")
  func stopWithConnections() async throws {
    let thread = try ReactorThread()
    try await thread.handle.perform { reactor in
      let listener = try ListenerSource(reactor: reactor)
      let client = SocketSource(reactor: reactor)
      try client.connect(to: listener.address)
    }
    thread.stop()
  }

  @Test("numeric addresses", arguments: ["192.0.2.1", "2001:db8::1", "::1"])
  func numeric(host: String) {
    let address = SocketAddress(numericHost: host, port: 4420)
    #expect(address?.host == host && address?.port == 4420)
    #expect(address?.description == (host.contains(":") ? "[\(host)]:4420" : "\(host):4420"))
  }

  @Test("what is no numeric address", arguments: ["", "localhost", "1.2.3", "a\0b", "[::1]", "1.2.3.4.5"])
  func notNumeric(host: String) {
    // "1.2.3" is an address to the C library (1.2.0.3); that is its affair.
    if host != "1.2.3" { #expect(SocketAddress(numericHost: host, port: 1) == nil) }
  }

  @Test(
    "names that do not resolve are an error that names them",
    arguments: ["", "no such name", "host.invalid", "a\0b", String(repeating: "a", count: 300)])
  func unresolvable(host: String) throws {
    let reactor = try Reactor()
    nonisolated(unsafe) var result: Result<[SocketAddress], NameResolutionError>?
    NameResolver.resolve(host: host, port: 1, on: reactor.handle) { _, answer in result = answer }
    #expect(result == nil, "never within the call")
    #expect(turn(reactor) { result != nil })
    #expect(throws: NameResolutionError.self) { try result!.get() }
    if case .failure(let error) = result { #expect(error.host == host && !error.reason.isEmpty) }
  }

  @Test("localhost resolves", arguments: ["localhost", "127.0.0.1"])
  func resolvable(host: String) throws {
    let reactor = try Reactor()
    nonisolated(unsafe) var result: Result<[SocketAddress], NameResolutionError>?
    NameResolver.resolve(host: host, port: 99, on: reactor.handle) { _, answer in result = answer }
    #expect(turn(reactor) { result != nil })
    let addresses = try result!.get()
    #expect(!addresses.isEmpty && addresses.allSatisfy { $0.port == 99 })
  }

  @Test("a name is looked up for one family alone", arguments: [AF_INET, AF_INET6])
  func family(family: Int32) throws {
    let reactor = try Reactor()
    nonisolated(unsafe) var result: Result<[SocketAddress], NameResolutionError>?
    NameResolver.resolve(host: "localhost", port: 99, family: family, on: reactor.handle) { _, answer in
      result = answer
    }
    #expect(turn(reactor) { result != nil })
    switch result {
    case .success(let addresses): #expect(!addresses.isEmpty && addresses.allSatisfy { $0.family == family })
    // Not every machine's localhost has an IPv6 address.
    case .failure(let error): #expect(family == AF_INET6 && error.reason.hasPrefix("no IPv6 address: "))
    case nil: break
    }
  }

  @Test("a look-up that outlives its reactor is dropped")
  func lateAnswer() throws {
    var reactor: Reactor? = try Reactor()
    NameResolver.resolve(host: "host.invalid", port: 1, on: reactor!.handle) { _, _ in }
    reactor = nil
  }

  /// What is left of an actor when its reactor has ended still has its methods run one at a time.
  @Test func jobsBehindTheEndDoNotRunSideBySide() async throws {
    let thread = try ReactorThread()
    let crowd = Crowd(thread.handle)
    await crowd.enter()
    thread.stop()
    await withTaskGroup(of: Void.self) { group in
      for _ in 0..<8 {
        group.addTask { for _ in 0..<200 { await crowd.enter() } }
      }
    }
    #expect(crowd.mostInside.load(ordering: .relaxed) == 1)
    #expect(await crowd.count == 1601)
  }

  /// It must be there until its jobs have been run. (What fails otherwise is the address sanitizer.)
  @Test func aTaskBehindTheEndMayHoldTheLastReference() async throws {
    for _ in 0..<20 {
      let (task, reference) = try taskBehindTheEnd()
      await task.value
      try await eventually { reference.handle == nil }
    }
  }

  private struct Reference: Sendable {
    weak let handle: ReactorHandle?
  }

  private func taskBehindTheEnd() throws -> (Task<Void, Never>, Reference) {
    let thread = try ReactorThread()
    thread.stop()
    let handle = thread.handle
    let task = Task(executorPreference: handle) { () -> Void in try? await Task.sleep(for: .milliseconds(1)) }
    return (task, Reference(handle: handle))
  }

  /// Nobody else holds the executor by the time whoever has brought the job is done with that. (What fails otherwise is the
  /// address sanitizer, if the bringer is held up between the two.)
  @Test func aJobMayEndItsReactorAndTakeTheLastReferenceAlong() async throws {
    for _ in 0..<20 {
      let reference = try await endFromWithin()
      try await eventually { reference.handle == nil }
    }
  }

  private func endFromWithin() async throws -> Reference {
    let ender = try Ender()
    // Has the reactor awake, so that it need not be signalled.
    let handle = ender.handle
    let waking = Task.detached { for _ in 0..<100 { handle.wake() } }
    await ender.end()
    await waking.value
    return Reference(handle: ender.handle)
  }

  private actor Ender {
    nonisolated let thread: ReactorThread
    nonisolated let handle: ReactorHandle
    nonisolated var unownedExecutor: UnownedSerialExecutor { handle.asUnownedSerialExecutor() }

    init() throws {
      thread = try ReactorThread()
      handle = thread.handle
    }

    func end() { thread.stop() }
  }

  private actor Crowd {
    nonisolated let handle: ReactorHandle
    nonisolated var unownedExecutor: UnownedSerialExecutor { handle.asUnownedSerialExecutor() }
    nonisolated let inside = Atomic<Int>(0)
    nonisolated let mostInside = Atomic<Int>(0)
    var count = 0

    init(_ handle: ReactorHandle) { self.handle = handle }

    func enter() {
      let now = inside.add(1, ordering: .relaxed).newValue
      mostInside.max(now, ordering: .relaxed)
      // Long enough to be met by another.
      for _ in 0..<1000 { _ = inside.load(ordering: .relaxed) }
      count += 1
      inside.subtract(1, ordering: .relaxed)
    }
  }
}
