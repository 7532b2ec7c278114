public import NVMeProtocol

/// One association with a controller, from Connect to its end, sans-I/O: events and time in, actions out.
///
/// It knows neither sockets nor clocks nor what a transport is. After each ``handle(_:nowNanoseconds:)`` the owner takes
/// all actions by ``nextAction()`` and sets its timer to ``nextDeadlineNanoseconds``. Every state has a deadline or
/// waits for a queue, which has one; every error ends in ``ControllerAction/closeQueues`` and
/// ``ControllerAction/closed(_:)``, each exactly once.
///
/// The sequence is that of NVMe over Fabrics initialisation (NVMe Base 2.1, section 3.5.2).
public struct ControllerStateMachine: Sendable {
  public enum State: Sendable, Hashable {
    case idle
    case connectingAdminQueue
    case readingCapabilities
    case readingVersion
    case enabling
    case waitingForReady
    case identifying
    case identifyingCommandSet
    case settingHostBehavior
    case settingQueueCount
    case configuringEvents
    case readingANALog
    case scanningNamespaces
    case connectingIOQueues
    case ready
    case requestingShutdown
    case waitingForShutdown
    case closing
    case closed
  }

  public let configuration: ControllerConfiguration
  public internal(set) var state = State.idle
  /// CNTLID.
  public private(set) var controllerIdentifier: UInt16 = 0xFFFF
  public internal(set) var capabilities = ControllerCapabilities(rawValue: 0)
  public internal(set) var version = ControllerVersion(rawValue: 0)
  public internal(set) var identification: IdentifyController?
  /// What the controller says of the NVM command set's limits; nil when it does not.
  public internal(set) var commandSetLimits: NVMCommandSetController?
  public internal(set) var namespaces: [UInt32: NamespaceInformation] = [:]
  public internal(set) var isNamespaceListTruncated = false
  public internal(set) var anaLog: ANALog?
  /// I/O queues granted.
  public internal(set) var queueCount = 0
  /// Commands outstanding at once on each I/O queue.
  public internal(set) var queueDepth = 0
  public internal(set) var isKeepAliveRunning = false

  var actions: [ControllerAction] = []
  var pending: [UInt32: Pending] = [:]
  var nextTag: UInt32 = 1
  private var connectedQueues: Set<UInt16> = []
  var stepDeadlineNanoseconds: UInt64 = .max
  var pollDeadlineNanoseconds: UInt64 = .max
  var nextKeepAliveNanoseconds: UInt64 = .max
  /// ANA groups in the state change, and when that has taken too long.
  var anaTransitions: [UInt32: ANATransition] = [:]
  var scan: NamespaceScan?
  var needsRescan = false
  var scanRetry = RetrySchedule()
  var needsANALog = false
  var anaLogRetry = RetrySchedule()
  var anaLogRead: ANALogRead?
  var needsChangedList = false
  var isReadingChangedList = false
  var changedListRetry = RetrySchedule()
  /// Log pages whose events are to be cleared, each once.
  var eventLogPages: [LogPageIdentifier] = []
  var isReadingEventLogPage = false
  /// The events that the controller has agreed to tell of.
  public internal(set) var configuredEvents: AsynchronousEventConfiguration = []
  /// Why the association has failed; nil while it has not, and when its end was wished for.
  public internal(set) var error: ControllerError?
  /// The controller has confirmed its shutdown: it executes nothing of this association any more.
  public internal(set) var isShutDown = false
  var isLookingForTraffic = false

  public init(configuration: ControllerConfiguration) {
    self.configuration = configuration
  }

  /// Largest transfer of one command in bytes (MDTS, in units of CAP.MPSMIN); nil = no limit.
  public var maximumTransferByteCount: Int? {
    identification?.maximumDataTransferBytes(minimumPageBytes: capabilities.minimumPageBytes)
  }

  /// Longest data in an I/O command's capsule, in bytes (IOCCSZ, in 16-byte units, less the 64-byte entry).
  public var maximumInCapsuleByteCount: Int {
    // Bounded: more than 16 MiB in a capsule is nobody's intention.
    min(identification?.maximumInCapsuleDataBytes ?? 0, 1 << 24)
  }

  /// The ANA state of a namespace; optimized where the controller has no ANA.
  public func anaState(ofGroup group: UInt32) -> ANAState {
    anaLog?.groups.first { $0.identifier == group }?.state ?? .optimized
  }

  /// When ``ControllerEvent/deadline`` is to be sent, nanoseconds of the monotonic clock.
  public var nextDeadlineNanoseconds: UInt64? {
    var deadline = min(
      stepDeadlineNanoseconds, pollDeadlineNanoseconds, nextKeepAliveNanoseconds,
      anaLogRetry.deadlineNanoseconds, scanRetry.deadlineNanoseconds, changedListRetry.deadlineNanoseconds)
    for transition in anaTransitions.values { deadline = min(deadline, transition.deadlineNanoseconds) }
    for entry in pending.values { deadline = min(deadline, entry.deadlineNanoseconds) }
    return deadline == .max ? nil : deadline
  }

  /// The next thing to do; nil when there is nothing more.
  public mutating func nextAction() -> ControllerAction? {
    actions.isEmpty ? nil : actions.removeFirst()
  }

  // MARK: Events

  public mutating func handle(_ event: ControllerEvent, nowNanoseconds now: UInt64) {
    if state == .closed { return }
    switch event {
    case .start:
      guard state == .idle else { return }
      if let problem = configuration.problem {
        fail(.invalidConfiguration(problem))
        return
      }
      state = .connectingAdminQueue
      actions.append(
        .connectQueue(
          identifier: 0, entries: UInt16(ControllerConfiguration.adminQueueDepth + 1),
          controllerIdentifier: configuration.controllerIdentifier))
    case .queueConnected(let identifier, let controllerIdentifier):
      queueConnected(identifier, controllerIdentifier, now)
    case .queueFailed(let identifier, let error):
      // A controller that shuts down may end its I/O queues first (SPDK's does); CSTS tells when it is done.
      if identifier != 0 && (state == .requestingShutdown || state == .waitingForShutdown) { return }
      if identifier != 0 || state != .closing { fail(error) }
    case .adminCompleted(let tag, let completion, let data):
      guard let entry = pending.removeValue(forKey: tag) else { return }
      adminCompleted(entry, completion, data, now)
    case .adminLost(let tag):
      pending[tag] = nil
    case .deadline:
      checkDeadlines(now)
    case .traffic(let isThere):
      guard isLookingForTraffic else { return }
      isLookingForTraffic = false
      if !isThere { sendKeepAlive(now) }
    case .refreshANALog:
      guard state == .ready else { return }
      needsANALog = true
      refreshANALogIfIdle(now)
    case .shutdown:
      beginShutdown(now)
    case .queuesClosed:
      state = .closed
      pending.removeAll()
      clearDeadlines()
      actions.append(.closed(error))
    }
  }

  private mutating func queueConnected(_ identifier: UInt16, _ controllerIdentifier: UInt16, _ now: UInt64) {
    switch state {
    case .connectingAdminQueue where identifier == 0:
      self.controllerIdentifier = controllerIdentifier
      state = .readingCapabilities
      submitStep("reading CAP", .propertyGet(.controllerCapabilities), now)
    case .connectingIOQueues where identifier > 0:
      connectedQueues.insert(identifier)
      if connectedQueues.count == queueCount { becomeReady() }
    default:
      break
    }
  }

  private mutating func adminCompleted(
    _ entry: Pending, _ completion: CompletionQueueEntry, _ data: [UInt8], _ now: UInt64
  ) {
    if state == .closing { return }
    switch entry.purpose {
    case .keepAlive:
      if !completion.status.isSuccess { fail(.refused(step: entry.name, completion.status)) }
    case .statusCheck:
      // A controller that will not tell is not taken for a broken one.
      guard completion.status.isSuccess else { return }
      let register = ControllerStatus(rawValue: completion.dword0)
      if register.fatal { fail(.fatalStatus) } else if !register.ready { fail(.noLongerReady) }
    case .asynchronousEvent:
      handleAsynchronousEvent(completion, now)
    case .changedNamespaceList:
      // What the list says is of no interest: reading it re-arms the event, and everything is looked at again.
      isReadingChangedList = false
      if completion.status.isSuccess || completion.status.doNotRetry {
        changedListRetry.succeeded()
      } else {
        // The event is not told again before.
        changedListRetry.failed(now)
      }
      needsRescan = true
      startRescanIfIdle(now)
      readChangedListIfIdle(now)
    case .eventLogPage:
      isReadingEventLogPage = false
      readEventLogPageIfIdle(now)
    case .scan:
      scanCompleted(completion.status, data, now)
    case .anaLog(let isRefresh):
      anaLogCompleted(completion.status, data, isRefresh: isRefresh, now)
    case .step:
      stepCompleted(entry.name, completion, data, now)
    }
  }

  private mutating func checkDeadlines(_ now: UInt64) {
    if state == .closing { return }
    if scanRetry.takeDue(now) {
      needsRescan = true
      startRescanIfIdle(now)
    }
    if changedListRetry.takeDue(now) {
      needsChangedList = true
      readChangedListIfIdle(now)
    }
    if anaLogRetry.takeDue(now) {
      needsANALog = true
      refreshANALogIfIdle(now)
    }
    // The oldest: for which one the association is given up is not left to a hash table's order.
    if let entry = pending.filter({ $0.value.deadlineNanoseconds <= now }).min(by: { $0.key < $1.key })?.value {
      switch entry.purpose {
      case .keepAlive:
        fail(.keepAliveTimeout(milliseconds: configuration.keepAliveTimeoutMilliseconds))
      default:
        fail(.adminTimeout(step: entry.name, milliseconds: configuration.adminTimeoutMilliseconds))
      }
      return
    }
    if stepDeadlineNanoseconds <= now {
      switch state {
      case .waitingForReady: fail(.notReady(timeoutMilliseconds: readyTimeoutMilliseconds))
      // The controller takes too long to shut down: the connections go all the same.
      case .requestingShutdown, .waitingForShutdown: closeQueues()
      default: stepDeadlineNanoseconds = .max
      }
      return
    }
    if pollDeadlineNanoseconds <= now {
      pollDeadlineNanoseconds = .max
      if state == .waitingForReady || state == .waitingForShutdown {
        submitStep("reading CSTS", .propertyGet(.controllerStatus), now)
      }
    }
    if anaTransitions.values.contains(where: { $0.deadlineNanoseconds <= now }) {
      fail(.anaTransitionTimeout(seconds: identification?.anaTransitionTimeSeconds ?? 0))
      return
    }
    if nextKeepAliveNanoseconds <= now { keepAliveDue(now) }
  }
}
