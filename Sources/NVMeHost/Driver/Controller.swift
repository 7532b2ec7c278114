public import NVMeProtocol
public import RingReactor
import Synchronization

/// A controller of a remote subsystem, over any transport.
///
/// Any thread may hold and ask it; its work is done on its home reactor, its I/O queues live on the reactors it was
/// given. Nothing here blocks: ``connect()`` returns at once, and ``condition`` or ``ready()`` tell what came of it.
public final class Controller: Sendable {
  /// What is known of the controller now; safe to read at any moment.
  public struct Snapshot: Sendable {
    public var condition = ControllerCondition.idle
    /// CNTLID.
    public var controllerIdentifier: UInt16 = 0xFFFF
    public var capabilities = ControllerCapabilities(rawValue: 0)
    public var version = ControllerVersion(rawValue: 0)
    public var identification: IdentifyController?
    public var namespaces: [UInt32: NamespaceInformation] = [:]
    public var isNamespaceListTruncated = false
    public var anaLog: ANALog?
    /// I/O queues in use, and how many commands may be outstanding on each.
    public var queueCount = 0
    public var queueDepth = 0
    /// MDTS in bytes; nil = no limit.
    public var maximumTransferByteCount: Int?
    /// Longest data in an I/O command's capsule, in bytes.
    public var maximumInCapsuleByteCount = 0
  }

  private struct Shared {
    var snapshot = Snapshot()
    var observers: [UInt64: @Sendable (ControllerNotice) -> Void] = [:]
    var nextObserver: UInt64 = 0
    var waiters: [UnsafeContinuation<ControllerCondition, Never>] = []
    var closeWaiters: [UnsafeContinuation<Void, Never>] = []
    /// Associations begun so far.
    var associationCount: UInt64 = 0
  }

  public let transport: any Transport
  public let configuration: ControllerConfiguration
  public let home: ReactorHandle
  /// The I/O queues that may come to be, by QID - 1; those that the controller grants are used.
  public let ioQueues: [IOQueue]
  private let shared = Mutex(Shared())
  /// On the home reactor's thread only.
  private nonisolated(unsafe) var driver: ControllerDriver?

  /// - Parameters:
  ///   - home: the reactor that the admin queue lives on.
  ///   - queueReactors: the reactors that the I/O queues live on, in turn; the home reactor when empty.
  public init(
    transport: any Transport, configuration: ControllerConfiguration, home: ReactorHandle,
    queueReactors: [ReactorHandle] = []
  ) {
    self.transport = transport
    self.configuration = configuration
    self.home = home
    let reactors = queueReactors.isEmpty ? [home] : queueReactors
    ioQueues = (0..<configuration.queueCount).map {
      IOQueue(identifier: UInt16($0 + 1), reactor: reactors[$0 % reactors.count])
    }
  }

  /// What is known now. Any thread may call.
  public var snapshot: Snapshot { shared.withLock { $0.snapshot } }
  public var condition: ControllerCondition { shared.withLock { $0.snapshot.condition } }

  /// The I/O queues in use that live on `reactor`.
  public func ioQueues(on reactor: ReactorHandle) -> [IOQueue] {
    let count = shared.withLock { $0.snapshot.queueCount }
    return ioQueues.prefix(count).filter { $0.reactor === reactor }
  }

  // MARK: Life

  /// Begins to connect, unless that has been done. Returns at once. Any thread may call.
  public func connect() {
    let association: UInt64? = shared.withLock { shared in
      switch shared.snapshot.condition {
      case .idle, .closed:
        shared.snapshot.condition = .connecting
        shared.associationCount += 1
        return shared.associationCount
      default:
        return nil
      }
    }
    guard let association else { return }
    let isPosted = home.post { reactor in
      let driver = ControllerDriver(reactor: reactor, controller: self, association: association)
      self.driver = driver
      driver.handle(.start)
    }
    if !isPosted { settle(.closed(.disconnected), notice: .closed(.disconnected)) }
  }

  /// Waits until the controller is ready.
  ///
  /// - Throws: ``ControllerError`` when it does not come to that.
  public func ready() async throws(ControllerError) {
    let condition = await withUnsafeContinuation { continuation in
      let settled: ControllerCondition? = shared.withLock { shared in
        switch shared.snapshot.condition {
        case .ready, .closed: return shared.snapshot.condition
        case .idle, .connecting, .closing:
          shared.waiters.append(continuation)
          return nil
        }
      }
      if let settled { continuation.resume(returning: settled) }
    }
    switch condition {
    case .ready: return
    case .closed(let error): throw error ?? .disconnected
    case .idle, .connecting, .closing: throw .disconnected
    }
  }

  /// Begins an orderly end: shutdown notification, then the connections are closed. Returns at once.
  public func shutdown() {
    let isPosted = home.post { _ in self.driver?.handle(.shutdown) }
    // Without its reactor nothing of it is left.
    if !isPosted { settle(.closed(.disconnected), notice: .closed(.disconnected)) }
  }

  /// Ends the association in good order and waits until nothing of it is left.
  public func disconnect() async {
    await withUnsafeContinuation { continuation in
      let isOver = shared.withLock { shared in
        switch shared.snapshot.condition {
        case .idle, .closed: return true
        default:
          shared.closeWaiters.append(continuation)
          return false
        }
      }
      if isOver { continuation.resume() } else { shutdown() }
    }
  }

  /// Resets the controller: ends the association in good order and makes a new one. I/O outstanding meanwhile fails as
  /// lost or not sent; block devices stay and work again afterwards.
  public func reset() async throws(ControllerError) {
    await disconnect()
    connect()
    try await ready()
  }

  // MARK: Admin commands

  /// Sends an admin command.
  ///
  /// - Parameters:
  ///   - dataOut: what the command sends; empty for none.
  ///   - dataInByteCount: how much it reads; 0 for none. One of the two must be empty.
  /// - Throws: ``ControllerError`` when there is no answer. A status that is an error is an answer.
  public func admin(
    _ command: SubmissionQueueEntry, dataOut: [UInt8] = [], dataInByteCount: Int = 0
  ) async throws(ControllerError) -> AdminReply {
    let result = await withUnsafeContinuation {
      (continuation: UnsafeContinuation<Result<AdminReply, ControllerError>, Never>) in
      let isPosted = home.post { _ in
        guard let driver = self.driver else {
          continuation.resume(returning: .failure(.disconnected))
          return
        }
        driver.submit(command, dataOut: dataOut, dataInByteCount: dataInByteCount) {
          continuation.resume(returning: $0)
        }
      }
      if !isPosted { continuation.resume(returning: .failure(.disconnected)) }
    }
    return try result.get()
  }

  // MARK: News

  /// Has `observer` told the news, on the home reactor's thread, until ``removeObserver(_:)``.
  public func addObserver(_ observer: @escaping @Sendable (ControllerNotice) -> Void) -> UInt64 {
    shared.withLock { shared in
      shared.nextObserver += 1
      shared.observers[shared.nextObserver] = observer
      return shared.nextObserver
    }
  }

  public func removeObserver(_ identifier: UInt64) {
    shared.withLock { $0.observers[identifier] = nil }
  }

  // MARK: For the driver, on the home reactor's thread

  func ioQueue(_ identifier: UInt16) -> IOQueue { ioQueues[Int(identifier) - 1] }

  func queueReported(_ identifier: UInt16, _ report: FabricsQueue.Report, association: UInt64) {
    guard let driver, driver.association == association else { return }
    driver.queueReported(identifier, report)
  }

  func publish(_ machine: ControllerStateMachine, status: ControllerCondition?) {
    shared.withLock { shared in
      shared.snapshot.controllerIdentifier = machine.controllerIdentifier
      shared.snapshot.capabilities = machine.capabilities
      shared.snapshot.version = machine.version
      shared.snapshot.identification = machine.identification
      shared.snapshot.namespaces = machine.namespaces
      shared.snapshot.isNamespaceListTruncated = machine.isNamespaceListTruncated
      shared.snapshot.anaLog = machine.anaLog
      shared.snapshot.queueCount = machine.queueCount
      shared.snapshot.queueDepth = machine.queueDepth
      shared.snapshot.maximumTransferByteCount = machine.maximumTransferByteCount
      shared.snapshot.maximumInCapsuleByteCount = machine.maximumInCapsuleByteCount
    }
    guard let status else { return }
    settle(status, notice: status == .ready ? .ready : nil)
  }

  func driverClosed(_ machine: ControllerStateMachine, _ error: ControllerError?) {
    driver = nil
    settle(.closed(error), notice: .closed(error))
  }

  func notify(_ notice: ControllerNotice) {
    // In the order they came: a device has taken the news in before whoever watches its controller hears of it.
    let observers = shared.withLock { shared in shared.observers.sorted { $0.key < $1.key }.map(\.value) }
    for observer in observers { observer(notice) }
  }

  private func settle(_ condition: ControllerCondition, notice: ControllerNotice?) {
    let (waiters, closeWaiters) = shared.withLock { shared in
      shared.snapshot.condition = condition
      var waiters: [UnsafeContinuation<ControllerCondition, Never>] = []
      var closeWaiters: [UnsafeContinuation<Void, Never>] = []
      switch condition {
      case .ready: swap(&waiters, &shared.waiters)
      case .closed:
        swap(&waiters, &shared.waiters)
        swap(&closeWaiters, &shared.closeWaiters)
      default: break
      }
      return (waiters, closeWaiters)
    }
    if let notice { notify(notice) }
    for waiter in waiters { waiter.resume(returning: condition) }
    for waiter in closeWaiters { waiter.resume() }
  }
}
