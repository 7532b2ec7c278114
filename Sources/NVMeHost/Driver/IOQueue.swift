public import RingReactor
import Synchronization

/// One of a controller's I/O queues, as its users hold it: it stays the same while the connection underneath is lost and
/// made again.
public final class IOQueue: @unchecked Sendable {
  /// QID, from 1.
  public let identifier: UInt16
  /// The reactor whose thread alone may use ``queuePair``.
  public let reactor: ReactorHandle
  /// Used on the reactor's thread only, hence safe to share.
  private var fabricsQueue: FabricsQueue?
  private let current: UnsafeMutablePointer<Unmanaged<QueuePair>?>
  private let users = Atomic<Int>(0)

  init(identifier: UInt16, reactor: ReactorHandle) {
    self.identifier = identifier
    self.reactor = reactor
    current = .allocate(capacity: 1)
    current.initialize(to: nil)
  }

  deinit { current.deallocate() }

  /// The controller's association that ``queuePair`` belongs to, or belonged to last. On the reactor's thread only.
  public private(set) var association: UInt64 = 0

  /// The queue pair commands can be submitted to; nil while there is no connection. On the reactor's thread only, and
  /// not to be kept beyond the present turn.
  public var queuePair: Unmanaged<QueuePair>? { current.pointee }

  /// How many use the queue. Any thread may ask.
  public var userCount: Int { users.load(ordering: .relaxed) }

  /// Counts a user more, so that the next one is given another queue. Any thread may call.
  public func addUser() { users.add(1, ordering: .relaxed) }

  /// Counts a user less. Any thread may call.
  public func removeUser() { users.subtract(1, ordering: .relaxed) }

  /// Brings the queue up; to be called on the reactor's thread.
  func open(
    on reactor: Reactor, association: UInt64, plan: FabricsQueue.Plan,
    report: @escaping @Sendable (FabricsQueue.Report) -> Void
  ) {
    guard fabricsQueue == nil else { return }
    self.association = association
    fabricsQueue = FabricsQueue(reactor: reactor, plan: plan) { [weak self] event in
      switch event {
      case .connected:
        self?.look()
      case .failed:
        self?.current.pointee = nil
      case .closed:
        self?.current.pointee = nil
        self?.fabricsQueue = nil
      case .timedOut: break
      }
      report(event)
    }
  }

  private func look() { current.pointee = fabricsQueue?.front.map { .passUnretained($0) } }

  /// Has commands fail from now on, until the connection ends; to be called on the reactor's thread. The way of a command
  /// is the same as ever where nothing is injected.
  ///
  /// - Returns: false when there is no connection.
  func inject(_ injection: ErrorInjection) -> Bool {
    guard current.pointee != nil, let fabricsQueue, fabricsQueue.inject(injection) else { return false }
    look()
    return true
  }

  func removeInjections(opcode: UInt8) { fabricsQueue?.removeInjections(opcode: opcode) }

  /// Takes no command any more, and tells when those that were taken have ended; to be called on the reactor's thread. Where
  /// the connection ends first, nothing is told.
  func drain(_ isDrained: @escaping @Sendable () -> Void) {
    current.pointee = nil
    fabricsQueue?.drain(isDrained)
  }

  /// See ``QueuePair/takeTraffic()``; to be called on the reactor's thread.
  func takeTraffic() -> Bool { current.pointee?._withUnsafeGuaranteedRef { $0.takeTraffic() } ?? false }

  /// Takes the queue down; to be called on the reactor's thread. `closed` is reported in any case.
  func close(report: @Sendable (FabricsQueue.Report) -> Void) {
    current.pointee = nil
    guard let fabricsQueue else {
      report(.closed)
      return
    }
    fabricsQueue.close()
  }
}
