public import NVMeProtocol
public import RingReactor
import Synchronization

/// A controller of a remote subsystem, over any transport.
///
/// Any thread may hold and ask it; its work is done on its home reactor, its I/O queues live on the reactors it was
/// given. Nothing here blocks: ``connect()`` returns at once, and ``condition`` or ``ready()`` tell what came of it.
///
/// From ``connect()`` on its home reactor keeps it, whoever else lets go of it, until ``disconnect()``, ``shutdown()`` or
/// ``delete()``, or the connection is lost for good, or the reactor ends.
public final class Controller: Sendable {
  /// What is known of the controller now; safe to read at any moment.
  public struct Snapshot: Sendable {
    public var condition = ControllerCondition.idle
    /// Where the controller stands over all its associations.
    public var state = RecoveryState.disabled
    /// Why it has been removed for good, or is being; nil while it is not.
    public var deletionReason: DeletionReason?
    /// What is to become of I/O to it now.
    public var ioDisposition = IODisposition.fail
    /// I/O commands that were to be aborted because they were not answered in time.
    public var abortCount: UInt64 = 0
    /// Keep alives that were not sent because there was traffic (TBKAS).
    public var omittedKeepAliveCount: UInt64 = 0
    /// What it has gone through so far.
    public var recovery = RecoveryStatistics()
    /// Associations begun so far: the number of the present one, or of the last.
    public var association: UInt64 = 0
    /// How long it may still execute commands of a lost association.
    public var communicationLoss: CommunicationLossRule
    /// CNTLID.
    public var controllerIdentifier: UInt16 = 0xFFFF
    public var capabilities = ControllerCapabilities(rawValue: 0)
    public var version = ControllerVersion(rawValue: 0)
    public var identification: IdentifyController?
    /// The events that it has agreed to tell of.
    public var configuredEvents: AsynchronousEventConfiguration = []
    /// Limits of commands that move no data (CNS 06h); nil when the controller has not told them.
    public var commandSetLimits: NVMCommandSetController?
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

    /// The ANA state of one of its namespaces; optimized where the controller has no ANA.
    public func anaState(ofNamespace identifier: UInt32) -> ANAState {
      guard let anaLog, let group = namespaces[identifier]?.anaGroupIdentifier else { return .optimized }
      return anaLog.groups.first { $0.identifier == group }?.state ?? .optimized
    }
  }

  private struct Shared {
    /// But for what is counted below.
    var published: Snapshot { didSet { Revision.mark() } }
    // Counted beside it, as they are no news: nothing is derived from them.
    var abortCount: UInt64 = 0
    var omittedKeepAliveCount: UInt64 = 0
    var observers = ObserverTable<ControllerNotice>()
    /// Answered with nil when their tasks are cancelled.
    var waiters: [UInt64: UnsafeContinuation<ControllerCondition?, Never>] = [:]
    var nextWaiter: UInt64 = 0
    var closeWaiters: [UnsafeContinuation<Void, Never>] = []
    /// Wishes to connect that the home reactor has not taken up yet.
    var enableCount = 0
  }

  public let transport: any Transport
  public let configuration: ControllerConfiguration
  public let home: ReactorHandle
  /// The I/O queues that may come to be, by QID - 1; those that the controller grants are used.
  public let ioQueues: [IOQueue]
  private let shared: Mutex<Shared>
  /// On the home reactor's thread only.
  private nonisolated(unsafe) var recoveryDriver: RecoveryDriver?

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
    shared = Mutex(
      Shared(
        published: Snapshot(
          communicationLoss: CommunicationLossRule(
            keepAliveTimeoutMilliseconds: configuration.keepAliveTimeoutMilliseconds, identification: nil))))
    let reactors = queueReactors.isEmpty ? [home] : queueReactors
    ioQueues = (0..<configuration.boundedQueueCount).map {
      IOQueue(identifier: UInt16($0 + 1), reactor: reactors[$0 % reactors.count])
    }
  }

  /// What is known now. Any thread may call.
  public var snapshot: Snapshot {
    shared.withLock { shared in
      var snapshot = shared.published
      snapshot.abortCount = shared.abortCount
      snapshot.omittedKeepAliveCount = shared.omittedKeepAliveCount
      return snapshot
    }
  }
  public var condition: ControllerCondition { shared.withLock { $0.published.condition } }

  /// The I/O queues in use that live on `reactor`.
  public func ioQueues(on reactor: ReactorHandle) -> [IOQueue] {
    let count = shared.withLock { $0.published.queueCount }
    return ioQueues.prefix(count).filter { $0.reactor === reactor }
  }

  // MARK: Life

  /// Begins to connect, unless that has been done. Returns at once. Any thread may call.
  ///
  /// A controller that is lost later is connected again as ``ControllerConfiguration/recovery`` says; one that has failed
  /// is tried once more by this. One that is gone (``delete()``) stays so.
  public func connect() {
    let isWished = shared.withLock { shared in
      switch (shared.published.state, shared.published.condition) {
      case (.deleting, _): return false
      // To be told so again: it may be its reactor that is gone.
      case (.deleted, _): break
      case (_, .idle), (_, .closed), (_, .closing): shared.published.condition = .connecting
      // What has been wished before may not have been taken up yet: a shutdown, after which this is one more connect.
      case (_, .connecting), (_, .ready): break
      }
      shared.enableCount += 1
      return true
    }
    guard isWished else { return }
    let isPosted = home.post { reactor in
      self.shared.withLock { $0.enableCount -= 1 }
      self.recovery.handle(.enable, on: reactor)
    }
    if !isPosted { homeIsGone() }
  }

  /// Waits until the controller is ready. One that has not been told to ``connect()`` is waited for until it is, and one
  /// whose first connect is tried again (``ControllerConfiguration/retriesFirstConnect``) for as long as that takes.
  ///
  /// - Throws: ``ControllerError`` when it does not come to that; ``ControllerError/cancelled`` when the task is cancelled,
  ///   which ends the waiting and nothing else.
  public func ready() async throws(ControllerError) {
    let identifier = shared.withLock { shared in
      shared.nextWaiter += 1
      return shared.nextWaiter
    }
    let condition = await withTaskCancellationHandler {
      await withUnsafeContinuation { (continuation: UnsafeContinuation<ControllerCondition?, Never>) in
        let settled: ControllerCondition?? = shared.withLock { shared in
          switch shared.published.condition {
          case .ready, .closed: return .some(shared.published.condition)
          case .idle, .connecting, .closing:
            // The handler may have been here already.
            if Task.isCancelled { return .some(nil) }
            shared.waiters[identifier] = continuation
            return nil
          }
        }
        if let settled { continuation.resume(returning: settled) }
      }
    } onCancel: {
      shared.withLock { $0.waiters.removeValue(forKey: identifier) }?.resume(returning: nil)
    }
    switch condition {
    case .ready: return
    case .closed(let error): throw error ?? .disconnected
    case nil: throw .cancelled
    case .idle, .connecting, .closing: throw .disconnected
    }
  }

  /// Begins an orderly end of the association: I/O outstanding has a second to end, and fails as lost then; shutdown
  /// notification; then the connections are closed. The controller is disabled then, and can be connected again. Returns at
  /// once. Any thread may call, at any moment.
  public func shutdown() {
    shared.withLock { shared in
      // From now on nobody is to take it for one that is ready; what it is the home reactor says.
      switch shared.published.condition {
      case .ready, .connecting: shared.published.condition = .closing
      case .idle, .closing, .closed: break
      }
    }
    let isPosted = home.post { reactor in self.recovery.handle(.disable, on: reactor) }
    // Without its reactor nothing of it is left.
    if !isPosted { homeIsGone() }
  }

  /// As ``shutdown()``, and waits until nothing of the association is left.
  public func disconnect() async { await untilClosed { self.shutdown() } }

  /// Removes the controller for good, at any moment, with I/O in flight too, and waits until that is done. Its block
  /// devices are gone then; whoever holds one is told.
  public func delete() async {
    await untilClosed(evenIfDisabled: true) {
      if !self.home.post({ reactor in self.recovery.handle(.delete, on: reactor) }) { self.homeIsGone() }
    }
  }

  private func untilClosed(evenIfDisabled: Bool = false, _ begin: () -> Void) async {
    await withUnsafeContinuation { continuation in
      let isOver = shared.withLock { shared in
        switch (shared.published.condition, shared.published.state) {
        case (.closed, .deleted): return true
        case (.idle, _) where !evenIfDisabled, (.closed, _) where !evenIfDisabled: return true
        default:
          shared.closeWaiters.append(continuation)
          return false
        }
      }
      if isOver { continuation.resume() } else { begin() }
    }
  }

  /// Resets the controller: ends the association in good order and makes a new one. I/O outstanding has a second to end,
  /// and fails as lost then, new I/O as not sent; block devices stay and work again afterwards. One that is being reset
  /// already is waited for.
  ///
  /// - Throws: ``ControllerError`` when it does not come back.
  public func reset() async throws(ControllerError) {
    switch await beginReset() {
    case .deleting: throw .disconnected
    case .disabled: connect()
    case .alreadyResetting, nil: break
    }
    try await ready()
  }

  /// Begins a reset, and does not wait for its end.
  ///
  /// - Returns: why nothing has been begun; nil when a reset is under way now.
  public func beginReset() async -> RecoveryRefusal? {
    await withUnsafeContinuation { (continuation: UnsafeContinuation<RecoveryRefusal?, Never>) in
      let isPosted = home.post { reactor in
        let refusal = self.recovery.refusal(of: .reset)
        if refusal == nil { self.recovery.handle(.reset, on: reactor) }
        continuation.resume(returning: refusal)
      }
      if !isPosted { continuation.resume(returning: .deleting) }
    }
  }

  /// Waits until what is known of the controller fits; it is looked at now and with each of its news, on whichever thread
  /// that is. Returns as well when the task is cancelled.
  public func wait(until fits: @escaping @Sendable (Snapshot) -> Bool) async {
    let waiter = Waiter()
    let observer = addObserver { _ in if fits(self.snapshot) { waiter.end() } }
    await withTaskCancellationHandler {
      if !fits(snapshot) { await waiter.wait() }
    } onCancel: {
      waiter.end()
    }
    removeObserver(observer)
  }

  // MARK: Admin commands

  /// Sends an admin command.
  ///
  /// - Parameters:
  ///   - dataOut: what the command sends; empty for none.
  ///   - dataInByteCount: how much it reads, at most 1 GiB; 0 for none. One of the two must be empty.
  /// - Throws: ``ControllerError`` when there is no answer: of what the connection was lost, or why the command was not
  ///   sent. A status that is an error is an answer.
  public func admin(
    _ command: SubmissionQueueEntry, dataOut: [UInt8] = [], dataInByteCount: Int = 0
  ) async throws(ControllerError) -> AdminReply {
    try Self.checkData(dataOut, dataInByteCount)
    let result = await withUnsafeContinuation {
      (continuation: UnsafeContinuation<Result<AdminReply, ControllerError>, Never>) in
      let isPosted = home.post { _ in
        guard let driver = self.recovery.driver else {
          continuation.resume(returning: .failure(self.absenceReason))
          return
        }
        driver.submit(command, dataOut: dataOut, dataInByteCount: dataInByteCount) {
          continuation.resume(returning: $0)
        }
      }
      if !isPosted { continuation.resume(returning: .failure(absenceReason)) }
    }
    return try result.get()
  }

  /// Why there is no association now.
  var absenceReason: ControllerError {
    let (condition, state, recovery) = shared.withLock { shared in
      (shared.published.condition, shared.published.state, shared.published.recovery)
    }
    if case .closed(let error?) = condition { return error }
    // Lost, and not connected again since.
    guard state != .disabled, let lost = recovery.lastLossNanoseconds, lost >= recovery.lastEnabledNanoseconds ?? 0,
      let reason = recovery.lastLossReason
    else { return .disconnected }
    return reason
  }

  /// Reads the ANA log anew, because a command's status says that it is out of date; ``ControllerNotice/anaChanged``
  /// follows, unless the association ends. Any thread may call.
  public func refreshANALog() {
    home.post { _ in self.recovery.driver?.handle(.refreshANALog) }
  }

  // MARK: News

  /// Has `observer` told the news, on the home reactor's thread, until ``removeObserver(_:)``.
  public func addObserver(_ observer: @escaping @Sendable (ControllerNotice) -> Void) -> UInt64 {
    shared.withLock { $0.observers.add(observer) }
  }

  public func removeObserver(_ identifier: UInt64) {
    shared.withLock { $0.observers.remove(identifier) }
  }

  // MARK: For the drivers, on the home reactor's thread

  var recovery: RecoveryDriver {
    if let recoveryDriver { return recoveryDriver }
    let driver = RecoveryDriver(controller: self)
    recoveryDriver = driver
    return driver
  }

  func ioQueue(_ identifier: UInt16) -> IOQueue { ioQueues[Int(identifier) - 1] }

  func queueReported(_ identifier: UInt16, _ report: FabricsQueue.Report, association: UInt64) {
    guard let driver = recovery.driver, driver.association == association else { return }
    driver.queueReported(identifier, report)
  }

  /// What an association has found out.
  func publish(_ machine: ControllerStateMachine) {
    shared.withLock { shared in
      shared.published.controllerIdentifier = machine.controllerIdentifier
      shared.published.capabilities = machine.capabilities
      shared.published.version = machine.version
      shared.published.identification = machine.identification
      shared.published.configuredEvents = machine.configuredEvents
      shared.published.commandSetLimits = machine.commandSetLimits
      shared.published.communicationLoss = CommunicationLossRule(
        keepAliveTimeoutMilliseconds: configuration.keepAliveTimeoutMilliseconds,
        identification: machine.identification)
      shared.published.namespaces = machine.namespaces
      shared.published.isNamespaceListTruncated = machine.isNamespaceListTruncated
      shared.published.anaLog = machine.anaLog
      shared.published.queueCount = machine.queueCount
      shared.published.queueDepth = machine.queueDepth
      shared.published.maximumTransferByteCount = machine.maximumTransferByteCount
      shared.published.maximumInCapsuleByteCount = machine.maximumInCapsuleByteCount
    }
  }

  /// Where the controller stands.
  func publish(_ machine: RecoveryStateMachine, association: UInt64) {
    let condition = ControllerCondition(machine, deletionError: goneError)
    let isSettled = shared.withLock { shared in
      shared.published.state = machine.state
      shared.published.deletionReason = machine.deletionReason
      shared.published.ioDisposition = machine.ioDisposition
      shared.published.recovery = machine.statistics
      shared.published.association = association
      // Told already.
      return shared.published.condition == condition && !(machine.state == .deleted && !shared.closeWaiters.isEmpty)
    }
    if isSettled { return }
    switch condition {
    case .ready: settle(condition, notice: .ready)
    case .closed(let error): settle(condition, notice: .closed(error))
    case .idle, .connecting, .closing: settle(condition, notice: nil)
    }
  }

  func noteAborts(_ count: Int) {
    shared.withLock { $0.abortCount += UInt64(count) }
  }

  func noteOmittedKeepAlive() { shared.withLock { $0.omittedKeepAliveCount += 1 } }

  private var goneError: ControllerError {
    .transport(queueIdentifier: 0, TransportError(.local, "\(transport): \(ReactorGone())"))
  }

  /// The home reactor has ended, and all that was on it.
  private func homeIsGone() {
    shared.withLock { shared in
      shared.published.state = .deleted
      shared.published.deletionReason = .reactorGone
      shared.published.ioDisposition = .fail
    }
    settle(.closed(goneError), notice: .closed(goneError))
  }

  func notify(_ notice: ControllerNotice) {
    // In the order they came: a device has taken the news in before whoever watches its controller hears of it.
    for observer in shared.withLock({ $0.observers.all }) { observer(notice) }
  }

  private func settle(_ condition: ControllerCondition, notice: ControllerNotice?) {
    let (waiters, closeWaiters) = shared.withLock { shared in
      shared.published.condition = condition
      var waiters: [UInt64: UnsafeContinuation<ControllerCondition?, Never>] = [:]
      var closeWaiters: [UnsafeContinuation<Void, Never>] = []
      switch condition {
      case .ready: swap(&waiters, &shared.waiters)
      case .closed:
        swap(&closeWaiters, &shared.closeWaiters)
        // Whoever waits for it to be ready waits for the connect that has been wished meanwhile.
        if shared.enableCount > 0 && shared.published.state != .deleted {
          shared.published.condition = .connecting
        } else {
          swap(&waiters, &shared.waiters)
        }
      default: break
      }
      return (waiters, closeWaiters)
    }
    if let notice { notify(notice) }
    for waiter in waiters.values { waiter.resume(returning: condition) }
    for waiter in closeWaiters { waiter.resume() }
  }
}
