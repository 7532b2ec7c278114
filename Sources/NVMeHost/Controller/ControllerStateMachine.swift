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

  /// What an admin command under way is for.
  private enum Purpose {
    case step
    case keepAlive
    /// CSTS, looked at along with each keep alive.
    case statusCheck
    case asynchronousEvent
    case changedNamespaceList
    case scan
    case anaLog(isRefresh: Bool)
  }

  private struct Pending {
    var purpose: Purpose
    var name: String
    var deadlineNanoseconds: UInt64
  }

  public let configuration: ControllerConfiguration
  public private(set) var state = State.idle
  /// CNTLID.
  public private(set) var controllerIdentifier: UInt16 = 0xFFFF
  public private(set) var capabilities = ControllerCapabilities(rawValue: 0)
  public private(set) var version = ControllerVersion(rawValue: 0)
  public private(set) var identification: IdentifyController?
  public private(set) var namespaces: [UInt32: NamespaceInformation] = [:]
  public private(set) var isNamespaceListTruncated = false
  public private(set) var anaLog: ANALog?
  /// I/O queues granted.
  public private(set) var queueCount = 0
  /// Commands outstanding at once on each I/O queue.
  public private(set) var queueDepth = 0
  public private(set) var isKeepAliveRunning = false

  private var actions: [ControllerAction] = []
  private var pending: [UInt32: Pending] = [:]
  private var nextTag: UInt32 = 1
  private var connectedQueues: Set<UInt16> = []
  private var stepDeadlineNanoseconds: UInt64 = .max
  private var pollDeadlineNanoseconds: UInt64 = .max
  private var nextKeepAliveNanoseconds: UInt64 = .max
  private var anaTransitionDeadlineNanoseconds: UInt64 = .max
  private var scan: NamespaceScan?
  private var needsRescan = false
  /// When a scan that failed is made again.
  private var rescanDeadlineNanoseconds: UInt64 = .max
  private var failedScanCount = 0
  private var needsANALog = false
  private var isReadingANALog = false
  /// What has come of the ANA log so far, and how long it can be.
  private var anaBytes: [UInt8] = []
  private var anaByteCount = 0
  private var needsChangedList = false
  private var isReadingChangedList = false
  /// Why the association has failed; nil while it has not, and when its end was wished for.
  public private(set) var error: ControllerError?
  /// The controller has confirmed its shutdown: it executes nothing of this association any more.
  public private(set) var isShutDown = false
  private var hasTriedPlainEvents = false
  private var isLookingForTraffic = false

  /// How often CSTS is looked at while it is waited for.
  private static let pollNanoseconds: UInt64 = 10_000_000
  private static let maximumAsynchronousEventCommands = 4
  /// A scan that failed is made again after a second, then after twice as long each time, up to about a minute.
  private static let rescanNanoseconds: UInt64 = 1_000_000_000
  private static let maximumRescanDoublings = 6
  private static let maximumANALogByteCount = 1 << 20

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
      stepDeadlineNanoseconds, pollDeadlineNanoseconds, nextKeepAliveNanoseconds, anaTransitionDeadlineNanoseconds,
      rescanDeadlineNanoseconds)
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
      state = .connectingAdminQueue
      actions.append(
        .connectQueue(
          identifier: 0, entries: UInt16(ControllerConfiguration.adminQueueDepth + 1),
          controllerIdentifier: configuration.controllerIdentifier))
    case .queueConnected(let identifier, let controllerIdentifier):
      queueConnected(identifier, controllerIdentifier, now)
    case .queueFailed(let identifier, let error):
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
      if completion.status.isSuccess && ControllerStatus(rawValue: completion.dword0).fatal { fail(.fatalStatus) }
    case .asynchronousEvent:
      handleAsynchronousEvent(completion, now)
    case .changedNamespaceList:
      // What the list says is of no interest: reading it re-arms the event, and everything is looked at again.
      isReadingChangedList = false
      needsRescan = true
      startRescanIfIdle(now)
      readChangedListIfIdle(now)
    case .scan:
      scanCompleted(completion.status, data, now)
    case .anaLog(let isRefresh):
      anaLogCompleted(completion.status, data, isRefresh: isRefresh, now)
    case .step:
      stepCompleted(entry.name, completion, data, now)
    }
  }

  // MARK: Initialisation

  private mutating func stepCompleted(
    _ name: String, _ completion: CompletionQueueEntry, _ data: [UInt8], _ now: UInt64
  ) {
    let status = completion.status
    if !status.isSuccess && state != .configuringEvents && state != .settingQueueCount
      && state != .requestingShutdown && state != .waitingForShutdown
    {
      fail(.refused(step: name, status))
      return
    }
    switch state {
    case .readingCapabilities:
      capabilities = ControllerCapabilities(rawValue: completion.result)
      state = .readingVersion
      submitStep("reading VS", .propertyGet(.version), now)
    case .readingVersion:
      version = ControllerVersion(rawValue: completion.dword0)
      state = .enabling
      submitStep(
        "enabling the controller",
        .propertySet(.controllerConfiguration, value: UInt64(configurationRegister(shutdown: .none).rawValue)), now)
    case .enabling:
      state = .waitingForReady
      // CAP.TO is in units of 500 ms; 0 gives the controller half a second all the same.
      stepDeadlineNanoseconds = now &+ readyTimeoutMilliseconds * 1_000_000
      submitStep("reading CSTS", .propertyGet(.controllerStatus), now)
    case .waitingForReady:
      let register = ControllerStatus(rawValue: completion.dword0)
      if register.fatal {
        fail(.fatalStatus)
      } else if register.ready {
        stepDeadlineNanoseconds = .max
        state = .identifying
        submitStep("identifying the controller", .identify(.controller), now, dataInByteCount: 4096)
      } else {
        pollDeadlineNanoseconds = now &+ Self.pollNanoseconds
      }
    case .identifying:
      identified(data, now)
    case .settingQueueCount:
      queueCountSet(status, completion.dword0, now)
    case .configuringEvents:
      eventsConfigured(status, now)
    case .requestingShutdown:
      guard status.isSuccess else {
        closeQueues()
        return
      }
      state = .waitingForShutdown
      submitStep("reading CSTS", .propertyGet(.controllerStatus), now)
    case .waitingForShutdown:
      isShutDown = status.isSuccess && ControllerStatus(rawValue: completion.dword0).shutdown == .complete
      if !status.isSuccess || isShutDown {
        closeQueues()
      } else {
        pollDeadlineNanoseconds = now &+ Self.pollNanoseconds
      }
    default:
      break
    }
  }

  private var readyTimeoutMilliseconds: UInt64 { UInt64(max(500, capabilities.timeoutMilliseconds)) }

  /// CC as we set it: enabled, IOSQES 6 and IOCQES 4 (entries of 64 and 16 bytes, as Fabrics demands).
  private func configurationRegister(
    shutdown: ControllerConfigurationRegister.ShutdownNotification
  ) -> ControllerConfigurationRegister {
    ControllerConfigurationRegister(
      enable: true, commandSet: capabilities.supportsIOCommandSets ? .allSupported : .nvm, shutdown: shutdown)
  }

  private mutating func identified(_ data: [UInt8], _ now: UInt64) {
    let identify: IdentifyController
    do throws(DecodingError) {
      identify = try IdentifyController(decoding: data.span.bytes)
    } catch {
      fail(.malformed(error))
      return
    }
    identification = identify
    if let problem = contradiction(identify) {
      fail(.unusable(problem))
      return
    }
    if configuration.keepAliveTimeoutMilliseconds > 0 {
      isKeepAliveRunning = true
      nextKeepAliveNanoseconds = now &+ keepAliveIntervalNanoseconds
    }
    if configuration.isDiscovery {
      configureEvents(now)
      return
    }
    // NVMe/TCP 1.1, section 3.3: in-capsule data begins right behind the entry.
    if identify.inCapsuleDataOffset != 0 {
      fail(.unusable("in-capsule data offset (ICDOFF) is \(identify.inCapsuleDataOffset), NVMe/TCP has only 0"))
      return
    }
    if identify.ioCommandCapsuleSize < 4 || identify.ioResponseCapsuleSize < 1 {
      fail(
        .unusable(
          "capsule sizes IOCCSZ \(identify.ioCommandCapsuleSize) and IORCSZ "
            + "\(identify.ioResponseCapsuleSize) are smaller than a queue entry"))
      return
    }
    if let problem = unsuitableQueues(identify) {
      fail(.unusable(problem))
      return
    }
    state = .settingQueueCount
    let wanted = NumberOfQueues(submissionQueues: wantedQueueCount, completionQueues: wantedQueueCount)
    submitStep("setting the number of queues", .setFeatures(.numberOfQueues, value: wanted.rawValue), now)
  }

  /// QIDs are 1 to 65,535, and FFFFh as a zeroes-based count is not allowed.
  private var wantedQueueCount: Int { min(max(configuration.queueCount, 1), 65_534) }

  /// What the controller says of itself against what we were told before.
  private func contradiction(_ identify: IdentifyController) -> String? {
    if identify.controllerIdentifier != controllerIdentifier {
      return "it connected as controller \(controllerIdentifier) but identifies as \(identify.controllerIdentifier)"
    }
    if !configuration.isDiscovery && identify.kind == .discovery {
      return "it is a discovery controller; discover its subsystems and connect to one of them"
    }
    // Linux says nothing (0) of some of its discovery controllers.
    if configuration.isDiscovery && identify.kind == .io {
      return "it is an I/O controller, not a discovery controller; connect to it as to a subsystem"
    }
    return nil
  }

  /// Fabrics have entries of 64 and 16 bytes and SGLs, and nothing else.
  private func unsuitableQueues(_ identify: IdentifyController) -> String? {
    func hexadecimal(_ value: some BinaryInteger) -> String { String(value, radix: 16, uppercase: true) + "h" }
    if !identify.takes64ByteSubmissionQueueEntries {
      return
        "it does not take submission queue entries of 64 bytes (SQES \(hexadecimal(identify.submissionQueueEntrySize)))"
    }
    if !identify.writes16ByteCompletionQueueEntries {
      return
        "it does not write completion queue entries of 16 bytes (CQES \(hexadecimal(identify.completionQueueEntrySize)))"
    }
    if !identify.supportsSGLs {
      return "it does not support SGLs (SGLS \(hexadecimal(identify.sglSupport))), which Fabrics cannot do without"
    }
    return nil
  }

  private mutating func queueCountSet(_ status: StatusField, _ granted: UInt32, _ now: UInt64) {
    guard status.isSuccess else {
      fail(.refused(step: "setting the number of queues", status))
      return
    }
    queueCount = min(wantedQueueCount, NumberOfQueues(rawValue: granted).pairs)
    // One entry of a queue always stays empty (NVMe Base 2.1, section 3.3.1).
    let entries = min(min(max(configuration.queueDepth, 1), 4095) + 1, capabilities.maximumQueueEntries)
    queueDepth = entries - 1
    if let maximum = identification?.maximumOutstandingCommands, maximum > 0 {
      queueDepth = min(queueDepth, Int(maximum))
    }
    guard queueDepth >= 1 else {
      fail(.unusable("its queues hold \(entries) entries (CAP.MQES), at least 2 are needed"))
      return
    }
    configureEvents(now)
  }

  /// Asks for the events that we act upon, as far as the controller offers them (OAES).
  private mutating func configureEvents(_ now: UInt64) {
    state = .configuringEvents
    let wanted: AsynchronousEventConfiguration =
      configuration.isDiscovery ? .discoveryLogPageChange : [.namespaceAttribute, .anaChange, .firmwareActivation]
    let value = wanted.intersection(identification?.optionalAsynchronousEvents ?? [])
    guard !value.isEmpty else {
      eventsConfigured(.success, now)
      return
    }
    submitStep(
      "configuring asynchronous events", .setFeatures(.asynchronousEventConfiguration, value: value.rawValue), now)
  }

  private mutating func eventsConfigured(_ status: StatusField, _ now: UInt64) {
    if !status.isSuccess && !hasTriedPlainEvents {
      // Some controllers offer bits they then refuse. Namespace and ANA notices are what we need most.
      hasTriedPlainEvents = true
      let plain: AsynchronousEventConfiguration = [.namespaceAttribute, .anaChange]
      let value = plain.intersection(identification?.optionalAsynchronousEvents ?? [])
      if !value.isEmpty && !configuration.isDiscovery {
        submitStep(
          "configuring asynchronous events", .setFeatures(.asynchronousEventConfiguration, value: value.rawValue), now)
        return
      }
    }
    let limit = Int(identification?.asynchronousEventRequestLimit ?? 0) + 1
    for _ in 0..<min(limit, Self.maximumAsynchronousEventCommands) { armAsynchronousEvent() }
    if configuration.isDiscovery {
      becomeReady()
    } else if identification?.supportsANAReporting == true {
      state = .readingANALog
      readANALog(isRefresh: false, now)
    } else {
      beginFirstScan(now)
    }
  }

  private mutating func beginFirstScan(_ now: UInt64) {
    state = .scanningNamespaces
    scan = NamespaceScan()
    submitScan(now)
  }

  private mutating func connectIOQueues() {
    state = .connectingIOQueues
    for identifier in 1...UInt16(queueCount) {
      actions.append(
        .connectQueue(
          identifier: identifier, entries: UInt16(queueDepth + 1), controllerIdentifier: controllerIdentifier))
    }
  }

  private mutating func becomeReady() {
    state = .ready
    actions.append(.ready)
  }

  // MARK: Admin commands

  private mutating func submit(
    _ purpose: Purpose, _ name: String, _ command: SubmissionQueueEntry, dataInByteCount: Int = 0,
    deadlineNanoseconds: UInt64
  ) {
    let tag = nextTag
    nextTag &+= 1
    pending[tag] = Pending(purpose: purpose, name: name, deadlineNanoseconds: deadlineNanoseconds)
    actions.append(.submitAdmin(tag: tag, command: command, dataOut: [], dataInByteCount: dataInByteCount))
  }

  private mutating func submitStep(
    _ name: String, _ command: SubmissionQueueEntry, _ now: UInt64, dataInByteCount: Int = 0
  ) {
    submit(.step, name, command, dataInByteCount: dataInByteCount, deadlineNanoseconds: adminDeadline(now))
  }

  private func adminDeadline(_ now: UInt64) -> UInt64 {
    let milliseconds = configuration.adminTimeoutMilliseconds
    return milliseconds == 0 ? .max : now &+ UInt64(milliseconds) * 1_000_000
  }

  // MARK: Keep alive

  private var isKeepAliveTrafficBased: Bool { identification?.supportsTrafficBasedKeepAlive ?? false }

  /// Half of KATO (NVMe Base 2.1, section 3.9.3). Where it is traffic based, a quarter: a command right after a look puts
  /// the next keep alive off for two of them.
  private var keepAliveIntervalNanoseconds: UInt64 {
    UInt64(configuration.keepAliveTimeoutMilliseconds) * (isKeepAliveTrafficBased ? 250_000 : 500_000)
  }

  private mutating func keepAliveDue(_ now: UInt64) {
    nextKeepAliveNanoseconds = now &+ keepAliveIntervalNanoseconds
    // Queues that have not told since the last time are not waited for any longer.
    if isKeepAliveTrafficBased && state == .ready && !isLookingForTraffic {
      isLookingForTraffic = true
      actions.append(.lookForTraffic)
    } else {
      isLookingForTraffic = false
      sendKeepAlive(now)
    }
  }

  private mutating func sendKeepAlive(_ now: UInt64) {
    let isUnderWay = pending.values.contains { if case .keepAlive = $0.purpose { true } else { false } }
    if isUnderWay { return }
    submit(
      .keepAlive, "a keep alive", .keepAlive(),
      deadlineNanoseconds: now &+ UInt64(configuration.keepAliveTimeoutMilliseconds) * 1_000_000)
    if state == .ready {
      submit(
        .statusCheck, "reading CSTS", .propertyGet(.controllerStatus), deadlineNanoseconds: adminDeadline(now))
    }
  }

  private mutating func checkDeadlines(_ now: UInt64) {
    if state == .closing { return }
    if rescanDeadlineNanoseconds <= now {
      rescanDeadlineNanoseconds = .max
      needsRescan = true
      startRescanIfIdle(now)
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
    if anaTransitionDeadlineNanoseconds <= now {
      fail(.anaTransitionTimeout(seconds: identification?.anaTransitionTimeSeconds ?? 0))
      return
    }
    if nextKeepAliveNanoseconds <= now { keepAliveDue(now) }
  }

  // MARK: Asynchronous events

  private mutating func armAsynchronousEvent() {
    submit(
      .asynchronousEvent, "an asynchronous event request", .asynchronousEventRequest(), deadlineNanoseconds: .max)
  }

  private mutating func handleAsynchronousEvent(_ completion: CompletionQueueEntry, _ now: UInt64) {
    // A controller that refuses them (limit exceeded, not supported) is not asked again.
    guard completion.status.isSuccess else { return }
    guard state != .requestingShutdown && state != .waitingForShutdown else { return }
    armAsynchronousEvent()
    let event = AsynchronousEvent(rawValue: completion.dword0)
    if event.matches(.namespaceAttributeChanged) {
      needsChangedList = true
      readChangedListIfIdle(now)
    } else if event.matches(.anaChange) {
      needsANALog = true
      refreshANALogIfIdle(now)
    } else if event.matches(.discoveryLogPageChange) {
      actions.append(.discoveryLogChanged)
    } else {
      actions.append(.asynchronousEvent(result: completion.dword0))
    }
  }

  // MARK: Namespaces

  /// One at a time: a controller that sends events without end must not make us queue commands without end.
  private mutating func readChangedListIfIdle(_ now: UInt64) {
    guard needsChangedList, !isReadingChangedList else { return }
    needsChangedList = false
    isReadingChangedList = true
    submit(
      .changedNamespaceList, "reading the changed namespace list",
      .getLogPage(.changedNamespaceList, byteCount: 4096), dataInByteCount: 4096,
      deadlineNanoseconds: adminDeadline(now))
  }

  private mutating func submitScan(_ now: UInt64) {
    guard let command = scan?.nextCommand() else { return }
    submit(
      .scan, scan?.stepName ?? "scanning namespaces", command, dataInByteCount: 4096,
      deadlineNanoseconds: adminDeadline(now))
  }

  private mutating func scanCompleted(_ status: StatusField, _ data: [UInt8], _ now: UInt64) {
    guard scan != nil else { return }
    do throws(ControllerError) {
      try scan?.handle(status: status, data: data)
    } catch {
      // While it is in use a controller is not given up for a scan that failed: what was known stays.
      if state == .scanningNamespaces {
        fail(error)
      } else {
        scan = nil
        // No event may ever tell again of what this scan has missed.
        rescanDeadlineNanoseconds =
          now &+ Self.rescanNanoseconds << UInt64(min(failedScanCount, Self.maximumRescanDoublings))
        failedScanCount += 1
        startRescanIfIdle(now)
      }
      return
    }
    guard let finished = scan, finished.isDone else {
      submitScan(now)
      return
    }
    let changes = finished.changes(from: namespaces)
    namespaces = finished.found
    isNamespaceListTruncated = finished.isTruncated
    scan = nil
    failedScanCount = 0
    if state == .scanningNamespaces {
      connectIOQueues()
    } else if !changes.isEmpty {
      actions.append(.namespacesChanged(changes))
    }
    startRescanIfIdle(now)
  }

  private mutating func startRescanIfIdle(_ now: UInt64) {
    guard needsRescan, scan == nil, state == .ready || state == .connectingIOQueues else { return }
    needsRescan = false
    rescanDeadlineNanoseconds = .max
    scan = NamespaceScan()
    submitScan(now)
  }

  // MARK: ANA

  private mutating func readANALog(isRefresh: Bool, _ now: UInt64) {
    isReadingANALog = true
    // Header, and per group a descriptor with the namespaces in it (NVMe Base 2.1, section 5.1.12.1.13).
    let groups = Int(min(identification?.anaGroupCount ?? 0, 65_536))
    let namespaces = Int(min(identification?.maximumAllowedNamespaces ?? 0, 65_536))
    let fallback = Int(min(identification?.namespaceCount ?? 0, 65_536))
    let wanted = ANALog.byteCount(groupCount: groups, namespaceCount: namespaces > 0 ? namespaces : fallback)
    anaByteCount = min(max(4096, wanted), Self.maximumANALogByteCount)
    if identification?.supportsExtendedLogPageData != true {
      anaByteCount = min(anaByteCount, maximumTransferByteCount ?? .max)
    }
    anaBytes = []
    readMoreOfANALog(isRefresh: isRefresh, now)
  }

  /// No command transfers more than MDTS: a longer log is read piece by piece.
  private mutating func readMoreOfANALog(isRefresh: Bool, _ now: UInt64) {
    let rest = anaByteCount - anaBytes.count
    let byteCount = min(rest, maximumTransferByteCount ?? .max)
    submit(
      .anaLog(isRefresh: isRefresh), "reading the ANA log",
      // The last piece clears the event.
      .getLogPage(
        .asymmetricNamespaceAccess, byteCount: byteCount, offset: UInt64(anaBytes.count),
        retainAsynchronousEvent: byteCount < rest),
      dataInByteCount: byteCount, deadlineNanoseconds: adminDeadline(now))
  }

  private mutating func anaLogCompleted(_ status: StatusField, _ data: [UInt8], isRefresh: Bool, _ now: UInt64) {
    if status.isSuccess {
      anaBytes += data
      // An empty piece would be asked for for ever.
      if anaBytes.count < anaByteCount && !data.isEmpty && anaBytes.count % 4 == 0 {
        readMoreOfANALog(isRefresh: isRefresh, now)
        return
      }
    }
    isReadingANALog = false
    if status.isSuccess {
      do throws(DecodingError) {
        anaLog = try ANALog(decoding: anaBytes)
        watchANATransition(now)
      } catch {
        if !isRefresh {
          fail(.malformed(error))
          return
        }
      }
    } else if !isRefresh {
      fail(.refused(step: "reading the ANA log", status))
      return
    }
    // Even where nothing new has been found out: somebody may be waiting for the answer.
    if isRefresh { actions.append(.anaChanged) }
    anaBytes = []
    if state == .readingANALog { beginFirstScan(now) }
    refreshANALogIfIdle(now)
  }

  /// A group may be in the state change for ANATT; a controller that takes longer is reset (NVMe Base 2.1, "ANA Change
  /// state").
  private mutating func watchANATransition(_ now: UInt64) {
    guard anaLog?.groups.contains(where: { $0.state == .change }) == true else {
      anaTransitionDeadlineNanoseconds = .max
      return
    }
    guard anaTransitionDeadlineNanoseconds == .max, let seconds = identification?.anaTransitionTimeSeconds, seconds > 0
    else { return }
    anaTransitionDeadlineNanoseconds = now &+ UInt64(seconds) * 1_000_000_000
  }

  private mutating func refreshANALogIfIdle(_ now: UInt64) {
    guard needsANALog, !isReadingANALog, state != .requestingShutdown, state != .waitingForShutdown else { return }
    needsANALog = false
    readANALog(isRefresh: true, now)
  }

  // MARK: The end

  private mutating func beginShutdown(_ now: UInt64) {
    switch state {
    case .closing, .closed, .requestingShutdown, .waitingForShutdown:
      return
    case .idle:
      state = .closed
      actions.append(.closed(nil))
    case .connectingAdminQueue, .readingCapabilities, .readingVersion:
      // Not enabled yet: there is nothing to shut down.
      closeQueues()
    default:
      scan = nil
      nextKeepAliveNanoseconds = .max
      isLookingForTraffic = false
      anaTransitionDeadlineNanoseconds = .max
      rescanDeadlineNanoseconds = .max
      state = .requestingShutdown
      pending = pending.filter { if case .asynchronousEvent = $0.value.purpose { true } else { false } }
      stepDeadlineNanoseconds = now &+ UInt64(configuration.shutdownTimeoutMilliseconds) * 1_000_000
      pollDeadlineNanoseconds = .max
      submitStep(
        "requesting shutdown",
        .propertySet(.controllerConfiguration, value: UInt64(configurationRegister(shutdown: .normal).rawValue)), now)
    }
  }

  private mutating func fail(_ error: ControllerError) {
    guard state != .closing && state != .closed else { return }
    if self.error == nil && state != .requestingShutdown && state != .waitingForShutdown { self.error = error }
    closeQueues()
  }

  private mutating func closeQueues() {
    guard state != .closing && state != .closed else { return }
    state = .closing
    scan = nil
    clearDeadlines()
    // What was to be done before is not done any more.
    actions.removeAll { action in
      switch action {
      case .submitAdmin, .connectQueue, .ready: true
      default: false
      }
    }
    pending.removeAll()
    actions.append(.closeQueues)
  }

  private mutating func clearDeadlines() {
    stepDeadlineNanoseconds = .max
    pollDeadlineNanoseconds = .max
    nextKeepAliveNanoseconds = .max
    anaTransitionDeadlineNanoseconds = .max
    rescanDeadlineNanoseconds = .max
    isLookingForTraffic = false
  }
}
