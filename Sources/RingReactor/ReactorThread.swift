internal import CLiburing
import Glibc
import Synchronization

/// A thread that makes a reactor and turns it until it is stopped, or nobody holds this object any more: keep it for as
/// long as what lives on the reactor. A ``ReactorHandle`` does not keep it; controllers and devices hold no more than that.
public final class ReactorThread: Sendable {
  private final class Start: Sendable {
    let name: String
    let waitPolicy: WaitPolicy
    let niceness: Int32
    let isStopping: Atomic<Bool>
    let outcome = Mutex<Result<ReactorHandle, RingError>?>(nil)
    let started: Int32
    init(name: String, waitPolicy: WaitPolicy, niceness: Int32, started: Int32) {
      self.name = name
      self.waitPolicy = waitPolicy
      self.niceness = niceness
      self.started = started
      isStopping = Atomic(false)
    }
  }

  /// What other threads may use of the reactor.
  public let handle: ReactorHandle
  private let start: Start
  private let thread: pthread_t
  private let isJoined = Atomic<Bool>(false)

  /// Starts the thread and returns when its reactor stands.
  ///
  /// - Parameters:
  ///   - name: the thread's name, cut at 15 bytes.
  ///   - waitPolicy: how the thread waits for work.
  ///   - niceness: what is added to the thread's nice value, 0 to 19: with more it makes way for others.
  /// - Throws: ``RingError``.
  public init(
    name: String = "nvmeof-reactor", waitPolicy: WaitPolicy = .adaptive, niceness: Int32 = 0
  ) throws(RingError) {
    let started = eventfd(0, 0)
    guard started >= 0 else { throw .systemCall(name: "eventfd", errno: errno) }
    defer { close(started) }
    let start = Start(name: name, waitPolicy: waitPolicy, niceness: niceness, started: started)
    var thread = pthread_t()
    let code = pthread_create(
      &thread, nil,
      { argument in
        ReactorThread.main(Unmanaged<Start>.fromOpaque(argument!).takeRetainedValue())
        return nil
      }, Unmanaged.passRetained(start).toOpaque())
    guard code == 0 else {
      Unmanaged.passUnretained(start).release()
      throw .systemCall(name: "pthread_create", errno: code)
    }
    var counter: UInt64 = 0
    while read(started, &counter, 8) < 0 && errno == EINTR {}
    switch start.outcome.withLock({ $0! }) {
    case .success(let handle):
      self.handle = handle
    case .failure(let error):
      pthread_join(thread, nil)
      throw error
    }
    self.start = start
    self.thread = thread
  }

  deinit { stop() }

  /// Ends the loop and waits for the thread. Safe to call twice; from the reactor's own thread it only ends the loop.
  public func stop() {
    start.isStopping.store(true, ordering: .releasing)
    handle.wake()
    guard !isJoined.exchange(true, ordering: .acquiringAndReleasing) else { return }
    if pthread_equal(pthread_self(), thread) != 0 { pthread_detach(thread) } else { pthread_join(thread, nil) }
  }

  private static func main(_ start: Start) {
    nvmeof_set_thread_name(String(start.name.prefix(15)))
    // Linux: of the calling thread alone (sched(7)).
    if start.niceness != 0 { _ = nice(start.niceness) }
    let reactor: Reactor
    do throws(RingError) {
      reactor = try Reactor(waitPolicy: start.waitPolicy)
    } catch {
      start.outcome.withLock { $0 = .failure(error) }
      signal(start)
      return
    }
    start.outcome.withLock { $0 = .success(reactor.handle) }
    signal(start)
    while !start.isStopping.load(ordering: .acquiring) { reactor.turn(.forever) }
    reactor.shutDown()
  }

  private static func signal(_ start: Start) {
    var one: UInt64 = 1
    _ = write(start.started, &one, 8)
  }
}
