internal import BlockDevice

/// A whole world from one seed: a multipath device's engine and its controllers' recovery state machines, unchanged, in a
/// simulated driver, against simulated controllers, networks and time. Nothing here reads a clock.
///
/// ``run()`` plays faults for a while, heals everything, and waits until all is quiet. It throws a ``Violation`` when a read
/// finds what it cannot, a request ends twice or never, something is lost or spins, or I/O does not flow again in time.
public final class World {
  private enum Event {
    case issue
    case fault
    case connected(path: Int, association: UInt64, ControllerError?)
    case closed(path: Int, association: UInt64)
    case lossNoticed(path: Int, association: UInt64)
    case execute(command: Int)
    case respond(command: Int, StatusField)
    case commandTimeout(path: Int, command: Int, isAborted: Bool)
    case probe(path: Int, number: UInt64)
    case probeAnswer(path: Int, number: UInt64, association: UInt64)
    case probeTimeout(path: Int, number: UInt64, association: UInt64)
    case accessKnown(path: Int)
    case recoveryDeadline(path: Int)
    case engineDeadline
  }

  private struct Request {
    var isWrite: Bool
    var block: Int
    var value: UInt64
    var issued: UInt64
    var isOpen = false
    /// A path has answered it with an error: where it goes next is the error's matter.
    var hasBeenAnswered = false
  }

  private static let millisecond: UInt64 = 1_000_000
  private static let blockCount = 12
  private static let depth = 8
  private static let ioTimeoutMilliseconds: UInt64 = 2000
  static let probationMilliseconds: ClosedRange<UInt32> = 500...4000
  private static let unanswered = ControllerError.transport(
    queueIdentifier: 1, TransportError(.commandTimedOut, ""))

  private let seed: UInt64
  private let bug: PlantedBug?
  private var random: SplitMix64Generator
  private var queue = EventQueue<Event>()
  private var now: UInt64 { queue.now }
  private var engine: MultipathEngine
  private var paths: [SimulatedPath] = []
  private var commands: [SimulatedCommand] = []
  private var requests: [Request]
  private var busyBlocks: Set<Int> = []
  private var disk = ModelDisk(blockCount: World.blockCount)
  private var associationCount: UInt64 = 0
  private var nextValue: UInt64 = 1
  private var report = SimulationReport()
  private var isHealing = false
  private var lateUntil: UInt64 = 0
  private let keepAliveMilliseconds: UInt32
  private var bugHasStruck = false

  public init(seed: UInt64, bug: PlantedBug? = nil) {
    self.seed = seed
    self.bug = bug
    random = SplitMix64Generator(seed: seed)
    var configuration = MultipathEngine.Configuration()
    let spreads: [MultipathPolicy.Spread] = [
      .activePassive, .activeActive(.roundRobin(minimumIO: UInt32.random(in: 1...3, using: &random))),
      .activeActive(.queueDepth), .activeActive(.latency),
    ]
    let failsBack = Bool.random(using: &random)
    if let policy = try? MultipathPolicy(
      spreads.randomElement(using: &random) ?? .activePassive, failsBackAutomatically: failsBack)
    {
      configuration.policy = policy
    }
    if bug == .noFence { configuration.unknownWrites = .resendAtOnceRiskingCorruption }
    engine = MultipathEngine(configuration: configuration, capacity: World.depth)
    requests = Array(repeating: Request(isWrite: false, block: 0, value: 0, issued: 0), count: World.depth)
    keepAliveMilliseconds = UInt32.random(in: 200...2000, using: &random)
    for _ in 0..<Int.random(in: 1...4, using: &random) { paths.append(makePath()) }
    for path in paths.indices { paths[path].abortsCommands = chance(0.3) }
  }

  private func makePath() -> SimulatedPath {
    let timers: [(Int64, Int64, Int64)] = [
      (100, -1, 0), (100, -1, 700), (300, 5000, 0), (200, 8000, 1500), (0, 0, 0), (500, -1, 500),
    ]
    let choice = timers.randomElement(using: &random) ?? (100, -1, 0)
    let triple = try? RecoveryTimers(
      reconnectDelayMilliseconds: choice.0, controllerLossTimeoutMilliseconds: choice.1,
      fastIOFailTimeoutMilliseconds: choice.2,
      backOff: ReconnectBackOff(multiplier: 2, maximumDelayMilliseconds: 2000, jitter: 0.3))
    return SimulatedPath(
      recovery: RecoveryStateMachine(
        timers: triple ?? .never, retriesFirstConnect: Bool.random(using: &random),
        deletionTimeoutMilliseconds: 3000, seed: random.next()),
      rule: CommunicationLossRule(
        keepAliveTimeoutMilliseconds: keepAliveMilliseconds, isTrafficBased: Bool.random(using: &random),
        commandQuiesceTimeMilliseconds: Bool.random(using: &random) ? 0 : UInt16.random(in: 1...3000, using: &random)))
  }

  // MARK: Running

  public func run() throws(Violation) -> SimulationReport {
    for path in paths.indices {
      try tell(path, .enable)
      updatePath(path)
      try release()
    }
    queue.schedule(.issue, in: 0)
    queue.schedule(.fault, in: milliseconds(1...200))
    let faultsEnd = now + 20_000 * Self.millisecond
    try play(until: faultsEnd)
    try heal()
    // Within the longest fence, reconnect delay, deletion and retry delay everything has come to its end.
    let limit = now + (40_000 + UInt64(keepAliveMilliseconds) * 5) * Self.millisecond
    try play(until: limit)
    try checkQuiet()
    try finalCheck()
    for path in paths {
      report.lossCount += path.recovery.statistics.lossCount
      report.reconnectCount += path.recovery.statistics.reconnectCount
    }
    report.statistics = engine.statistics
    return report
  }

  private func play(until end: UInt64) throws(Violation) {
    while let event = queue.next(until: end) {
      if queue.countAtOneTime > 5000 { throw violation("time does not pass: something spins") }
      try handle(event)
    }
  }

  private func milliseconds(_ range: ClosedRange<UInt64>) -> UInt64 {
    UInt64.random(in: range, using: &random) * Self.millisecond
      + UInt64.random(in: 0..<Self.millisecond, using: &random)
  }

  private func chance(_ probability: Double) -> Bool { random.nextUnit() < probability }

  private func violation(_ text: String) -> Violation {
    Violation(seed: seed, milliseconds: now / Self.millisecond, text: text)
  }

  private func handle(_ event: Event) throws(Violation) {
    switch event {
    case .issue: try issue()
    case .fault: try fault()
    case .connected(let path, let association, let error): try connected(path, association, error)
    case .closed(let path, let association): try closed(path, association)
    case .lossNoticed(let path, let association): try lossNoticed(path, association)
    case .execute(let command): execute(command)
    case .respond(let command, let status): try respond(command, status)
    case .commandTimeout(let path, let command, let isAborted):
      guard !commands[command].hasEnded, paths[path].association == commands[command].association else { return }
      if paths[path].abortsCommands && !isAborted { try abort(path, command) } else { try lose(path, Self.unanswered) }
    case .probe(let path, let number): try probe(path, number)
    case .probeAnswer(let path, let number, let association): try probeAnswered(path, number, association)
    case .probeTimeout(let path, let number, let association):
      guard paths[path].probation.number == number, paths[path].association == association else { return }
      if paths[path].abortsCommands { try noteAborted(path) } else { try lose(path, Self.unanswered) }
    case .accessKnown(let path):
      paths[path].knownANAState = paths[path].anaState
      paths[path].knowsNamespace = paths[path].hasNamespace
      updatePath(path)
      try release()
    case .recoveryDeadline(let path):
      guard let deadline = paths[path].recovery.nextDeadlineNanoseconds, deadline <= now else { return }
      if bug != .recoveryDeadlineForgotten { try tell(path, .deadline) }
    case .engineDeadline:
      guard let deadline = engine.nextDeadlineNanoseconds, deadline <= now else { return }
      if bug != .deadlineForgotten { try release() }
    }
  }

  // MARK: The application

  private func issue() throws(Violation) {
    if !isHealing { queue.schedule(.issue, in: milliseconds(0...30)) }
    try issueOne()
  }

  private func issueOne() throws(Violation) {
    guard let index = requests.firstIndex(where: { !$0.isOpen }) else { return }
    let free = (0..<Self.blockCount).filter { !busyBlocks.contains($0) }
    guard let block = free.randomElement(using: &random) else { return }
    let isWrite = chance(0.6)
    if isWrite { nextValue += 1 }
    try begin(index, Request(isWrite: isWrite, block: block, value: isWrite ? nextValue : 0, issued: now))
  }

  private func begin(_ index: Int, _ request: Request) throws(Violation) {
    requests[index] = request
    requests[index].isOpen = true
    busyBlocks.insert(request.block)
    report.requestCount += 1
    try carryOut(engine.admit(index, isModifying: request.isWrite, nowNanoseconds: now), index)
    keepEngineTime()
  }

  private func end(_ index: Int, _ outcome: BlockOutcome, readValue: UInt64) throws(Violation) {
    let request = requests[index]
    guard request.isOpen else { throw violation("request \(index) has ended twice") }
    requests[index].isOpen = false
    busyBlocks.remove(request.block)
    switch outcome {
    case .success:
      report.successCount += 1
      if request.isWrite {
        disk.acknowledged(request.value, at: request.block, issuedNanoseconds: request.issued)
      } else if !disk.mayRead(readValue, at: request.block) {
        throw violation(
          "block \(request.block) reads \(readValue), which can only be one of \(disk.expectation(at: request.block))")
      }
    case .notSent:
      // Certain: it is an error if it is ever read.
      break
    default:
      if outcome == .connectionLost { report.unknownCount += 1 }
      if request.isWrite {
        disk.failed(request.value, at: request.block, untilNanoseconds: max(lateUntil, now))
      }
    }
  }

  // MARK: The channel's part

  private func carryOut(_ first: MultipathDecision, _ index: Int) throws(Violation) {
    var decision = first
    while true {
      switch decision {
      case .submit(let path):
        if try send(index, path) { return }
        decision = engine.completed(index, outcome: .notSent, status: .hostPathingError, nowNanoseconds: now)
      case .hold: return
      case .finish: throw violation("request \(index) has ended without having been answered")
      case .fail(let outcome, _):
        try end(index, outcome, readValue: 0)
        return
      }
    }
  }

  private func send(_ index: Int, _ path: Int) throws(Violation) -> Bool {
    guard paths[path].recovery.association == .ready, !paths[path].isLost else { return false }
    let request = requests[index]
    try checkProbation(request, path)
    queue.schedule(
      .commandTimeout(path: path, command: commands.count, isAborted: false),
      in: Self.ioTimeoutMilliseconds * Self.millisecond)
    commands.append(
      SimulatedCommand(
        request: index, path: path, association: paths[path].association, isWrite: request.isWrite,
        block: request.block, value: request.value, isUnsent: chance(0.1)))
    queue.schedule(.execute(command: commands.count - 1), in: milliseconds(chance(0.1) ? 0...400 : 0...3))
    return true
  }

  private func complete(_ index: Int, _ outcome: BlockOutcome, _ status: StatusField) throws(Violation) {
    guard !commands[index].hasEnded else { return }
    commands[index].hasEnded = true
    let command = commands[index]
    if bug == .completionForgotten && !bugHasStruck && chance(0.02) {
      bugHasStruck = true
      return
    }
    if outcome == .deviceError && !status.matches(.commandAbortRequested) {
      requests[command.request].hasBeenAnswered = true
    }
    var outcome = outcome
    if outcome == .connectionLost && command.isWrite {
      if bug == .lostTakenForNotSent { outcome = .notSent }
      if bug == .lostTakenForDone && chance(0.2) { outcome = .success }
    }
    try completed(command, outcome, status)
    if bug == .completionTwice && !bugHasStruck && chance(0.02) {
      bugHasStruck = true
      try completed(command, outcome, status)
    }
  }

  private func completed(_ command: SimulatedCommand, _ outcome: BlockOutcome, _ status: StatusField) throws(Violation)
  {
    let decision = engine.completed(command.request, outcome: outcome, status: status, nowNanoseconds: now)
    if decision == .finish {
      try end(command.request, .success, readValue: command.value)
    } else {
      try carryOut(decision, command.request)
    }
    while engine.pathsWantingAccessRefresh != 0 {
      let path = engine.pathsWantingAccessRefresh.trailingZeroBitCount
      engine.pathsWantingAccessRefresh &= engine.pathsWantingAccessRefresh - 1
      queue.schedule(.accessKnown(path: path), in: milliseconds(0...20))
    }
    keepEngineTime()
  }

  private func release() throws(Violation) {
    engine.beginRelease()
    while let next = engine.nextReleased(nowNanoseconds: now) { try carryOut(next.decision, next.index) }
    keepEngineTime()
  }

  private func keepEngineTime() {
    if let deadline = engine.nextDeadlineNanoseconds { queue.schedule(.engineDeadline, at: deadline) }
  }

  private func updatePath(_ path: Int) {
    paths[path].probation.look(
      paths[path].recovery.statistics, isConnected: paths[path].recovery.state == .enabled)
    let simulated = paths[path]
    if let due = simulated.probation.dueNanoseconds {
      queue.schedule(.probe(path: path, number: simulated.probation.number), at: due)
    }
    var availability = PathAvailability(
      state: simulated.recovery.state, disposition: simulated.recovery.ioDisposition,
      hasBeenEnabled: simulated.recovery.statistics.lastEnabledNanoseconds != nil, ana: simulated.knownANAState)
    if availability.isUsable && !simulated.knowsNamespace { availability = .unavailable(.namespaceMissing) }
    if simulated.recovery.state == .deleted {
      engine.remove(path)
      return
    }
    var rule = simulated.rule
    if bug == .fenceForgetsTraffic { rule.isTrafficBased = false }
    var milliseconds = rule.quiesceMilliseconds
    if bug == .fenceForgetsQuiesceTime {
      milliseconds = UInt64(rule.keepAliveTimeoutMilliseconds) * (rule.isTrafficBased ? 3 : 2)
    }
    engine.update(
      path,
      MultipathPathUpdate(
        availability: availability, isOnProbation: simulated.probation.isOn && bug != .probationForgotten,
        association: simulated.association,
        quiesceNanoseconds: milliseconds.map { $0 * Self.millisecond }, commandRetryDelayTimes: [1, 3, 10]))
  }

  // MARK: The controller driver's part

  private func tell(_ path: Int, _ event: RecoveryEvent) throws(Violation) {
    let before = (paths[path].recovery.state, paths[path].recovery.ioDisposition)
    paths[path].recovery.handle(event, nowNanoseconds: now)
    while let action = paths[path].recovery.nextAction() {
      switch action {
      case .connect: connect(path)
      case .disconnect: disconnect(path)
      case .ioDispositionChanged, .stateChanged, .deleted: break
      }
    }
    if let deadline = paths[path].recovery.nextDeadlineNanoseconds {
      queue.schedule(.recoveryDeadline(path: path), at: deadline)
    }
    if before != (paths[path].recovery.state, paths[path].recovery.ioDisposition) {
      updatePath(path)
      if bug == .reconnectTakenForProof && event == .associationReady {
        for association in 0..<paths[path].association { engine.quiesced(path, association: association) }
      }
      if bug != .releaseForgotten || event != .associationReady { try release() }
    }
  }

  private func connect(_ path: Int) {
    associationCount += 1
    paths[path].association = associationCount
    paths[path].isLost = false
    paths[path].isShuttingDown = false
    var error: ControllerError?
    if paths[path].refusesForGood {
      error = .connectRefused(
        queueIdentifier: 0, StatusField(.commandSpecific, 0x82, doNotRetry: true), result: 0, subsystemNQN: "",
        hostNQN: "")
    } else if !paths[path].isReachable {
      error = .transport(queueIdentifier: 0, TransportError(.timedOut, ""))
    }
    queue.schedule(
      .connected(path: path, association: associationCount, error),
      in: milliseconds(paths[path].isReachable ? 0...20 : 0...1000))
  }

  private func connected(_ path: Int, _ association: UInt64, _ error: ControllerError?) throws(Violation) {
    guard paths[path].association == association, paths[path].recovery.association == .connecting else { return }
    if let error {
      try tell(path, .associationLost(error))
      queue.schedule(.closed(path: path, association: association), in: milliseconds(0...5))
      return
    }
    paths[path].knownANAState = paths[path].anaState
    paths[path].knowsNamespace = paths[path].hasNamespace
    try tell(path, .associationReady)
  }

  /// The host ends the association: in order, where the controller answers.
  private func disconnect(_ path: Int) {
    let association = paths[path].association
    if paths[path].isReachable && !paths[path].isLost {
      paths[path].isShuttingDown = true
      queue.schedule(.closed(path: path, association: association), in: milliseconds(0...30))
    } else {
      queue.schedule(.closed(path: path, association: association), in: milliseconds(100...1000))
    }
  }

  private func lossNoticed(_ path: Int, _ association: UInt64) throws(Violation) {
    if paths[path].association == association { try lose(path, .keepAliveTimeout(milliseconds: keepAliveMilliseconds)) }
  }

  private func lose(
    _ path: Int, _ error: ControllerError = .transport(queueIdentifier: 0, TransportError(.broken, ""))
  ) throws(Violation) {
    guard paths[path].recovery.association == .ready, !paths[path].isLost else { return }
    paths[path].isLost = true
    if error == Self.unanswered && paths[path].recovery.state == .enabled { noteUnanswered(path) }
    // Commands' ends come to the channel, and the news to the home reactor, in either order.
    let isCommandsFirst = Bool.random(using: &random)
    if isCommandsFirst { try endCommands(path, isQuiesced: false) }
    try tell(path, .associationLost(error))
    loseProbe(path)
    if !isCommandsFirst { try endCommands(path, isQuiesced: false) }
    queue.schedule(.closed(path: path, association: paths[path].association), in: milliseconds(0...10))
  }

  /// Ends everything that is outstanding on a path's association; what the controller still makes of it is its affair,
  /// within the time the specification gives it.
  private func endCommands(_ path: Int, isQuiesced: Bool) throws(Violation) {
    let association = paths[path].association
    let wait = (paths[path].rule.quiesceMilliseconds ?? 0) * Self.millisecond
    // Whatever is executed of it is executed by then, at its usual time or late.
    if !isQuiesced { lateUntil = max(lateUntil, now + wait) }
    for index in commands.indices
    where commands[index].path == path && commands[index].association == association && !commands[index].hasEnded {
      let command = commands[index]
      if !command.isExecuted {
        if command.isUnsent || isQuiesced || chance(0.3) {
          commands[index].isDropped = true
        } else if chance(0.7) {
          // The event that would execute it now is passed over.
          commands[index].isDropped = true
          var late = command
          late.hasEnded = true
          commands.append(late)
          // Up to the last moment.
          let time = chance(0.3) ? wait - 1 : UInt64.random(in: 0..<wait, using: &random)
          queue.schedule(.execute(command: commands.count - 1), in: time)
        }
      }
      let isCertain = command.isUnsent && !command.isExecuted
      try complete(index, isCertain ? .notSent : .connectionLost, .hostPathingError)
    }
  }

  private func closed(_ path: Int, _ association: UInt64) throws(Violation) {
    guard paths[path].association == association, paths[path].recovery.association == .closing else { return }
    let isQuiesced = paths[path].isShuttingDown && paths[path].isReachable
    paths[path].isLost = true
    try endCommands(path, isQuiesced: isQuiesced)
    loseProbe(path)
    if isQuiesced {
      engine.quiesced(path, association: association)
      try release()
    }
    if bug == .closeForgotten && paths[path].recovery.state == .resetting && !bugHasStruck {
      bugHasStruck = true
      return
    }
    try tell(path, .associationClosed)
  }

  // MARK: Probation

  private func probe(_ path: Int, _ number: UInt64) throws(Violation) {
    guard let due = paths[path].probation.dueNanoseconds, due <= now, bug != .probeForgotten,
      paths[path].probation.number == number, paths[path].probe != number
    else { return }
    if bug == .probationEndsByTime {
      paths[path].probation.probeEnded(number, isAnswered: true, nowNanoseconds: now)
    } else if engine.selector.availability(of: path).isUsable {
      paths[path].probe = number
      let association = paths[path].association
      queue.schedule(.probeAnswer(path: path, number: number, association: association), in: milliseconds(0...3))
      queue.schedule(
        .probeTimeout(path: path, number: number, association: association),
        in: Self.ioTimeoutMilliseconds * Self.millisecond)
      return
    } else {
      paths[path].probation.probeEnded(number, isAnswered: false, nowNanoseconds: now)
    }
    updatePath(path)
    try release()
  }

  private func probeAnswered(_ path: Int, _ number: UInt64, _ association: UInt64) throws(Violation) {
    let simulated = paths[path]
    guard simulated.association == association, !simulated.isLost, simulated.isReachable,
      !simulated.ignores(isWrite: false),
      simulated.probation.number == number
    else { return }
    let isAnswered = simulated.obstacle == nil
    if isAnswered {
      report.answeredProbeCount += 1
      paths[path].trust.answeredProbe(now)
    }
    paths[path].probation.probeEnded(number, isAnswered: isAnswered, nowNanoseconds: now)
    updatePath(path)
    try release()
  }

  private func loseProbe(_ path: Int) {
    guard paths[path].probe == paths[path].probation.number else { return }
    paths[path].probation.probeEnded(paths[path].probe, isAnswered: false, nowNanoseconds: now)
  }

  /// The controller is asked to abort a command, and does so where it has not carried it out.
  private func abort(_ path: Int, _ command: Int) throws(Violation) {
    try noteAborted(path)
    if paths[path].isReachable && !commands[command].isExecuted {
      commands[command].isDropped = true
      try complete(command, .deviceError, .commandAbortRequested)
    } else {
      queue.schedule(
        .commandTimeout(path: path, command: command, isAborted: true),
        in: Self.ioTimeoutMilliseconds * Self.millisecond)
    }
  }

  private func noteAborted(_ path: Int) throws(Violation) {
    guard paths[path].recovery.state == .enabled else { return }
    report.unansweredCount += 1
    paths[path].trust.aborted(now)
    paths[path].probation.commandsUnanswered(1, nowNanoseconds: now)
    updatePath(path)
    try release()
  }

  private func noteUnanswered(_ path: Int) {
    report.unansweredCount += 1
    paths[path].trust.lost(now)
    if bug == .probationsNotCounted {
      paths[path].probation = PathProbation(
        delaysMilliseconds: Self.probationMilliseconds, lossCount: paths[path].recovery.statistics.lossCount)
    }
  }

  /// What bounds the stalls: beside a path that is trusted, one that has left I/O unanswered is not used before it has
  /// answered a probe, nor sooner than its losses allow.
  private func checkProbation(_ request: Request, _ path: Int) throws(Violation) {
    guard !request.hasBeenAnswered, let problem = paths[path].trust.problem(now) else { return }
    let hasOther = paths.indices.contains { other in
      other != path && !paths[other].probation.isOn && engine.selector.availability(of: other).isUsable
    }
    if hasOther { throw violation("path \(path) \(problem)") }
  }

  // MARK: The controllers

  private func execute(_ index: Int) {
    let command = commands[index]
    guard !command.isDropped, !command.isExecuted else { return }
    if command.isUnsent {
      // It is sent at last, if the connection is still there.
      guard !command.hasEnded else { return }
      commands[index].isUnsent = false
    }
    let path = paths[command.path]
    // What is left over when its connection is lost may be executed all the same.
    if !command.hasEnded && path.ignores(isWrite: command.isWrite) { return }
    commands[index].isExecuted = true
    var status = StatusField.success
    if !command.hasEnded {
      status = path.obstacle ?? .success
      if status.isSuccess && chance(path.errorProbability) {
        status = StatusField(
          .generic, 0x21, commandRetryDelay: UInt8.random(in: 0...3, using: &random), doNotRetry: chance(0.1))
      }
    }
    if status.isSuccess {
      if command.isWrite {
        if command.hasEnded { report.lateExecutionCount += 1 }
        disk.execute(command.value, at: command.block)
      } else {
        commands[index].value = disk.values[command.block]
      }
    }
    if !command.hasEnded {
      queue.schedule(.respond(command: index, status), in: milliseconds(chance(0.05) ? 0...500 : 0...3))
    }
  }

  private func respond(_ index: Int, _ status: StatusField) throws(Violation) {
    let command = commands[index]
    // A controller that is not reached is not heard either.
    guard !command.hasEnded, paths[command.path].isReachable else { return }
    try complete(index, status.isSuccess ? .success : .deviceError, status)
  }

  // MARK: Faults

  private func fault() throws(Violation) {
    if isHealing { return }
    queue.schedule(.fault, in: milliseconds(1...400))
    let path = Int.random(in: 0..<paths.count, using: &random)
    switch Int.random(in: 0..<24, using: &random) {
    case 0, 1, 2:
      // A reset connection.
      if paths[path].recovery.association == .ready && !paths[path].isLost { try lose(path) }
    case 3, 4:
      // Silence: noticed by a missed keep alive.
      guard paths[path].isReachable else { return }
      paths[path].isReachable = false
      queue.schedule(
        .lossNoticed(path: path, association: paths[path].association),
        in: UInt64(keepAliveMilliseconds) * 3 / 2 * Self.millisecond)
    case 5, 6, 7, 8: paths[path].isReachable = true
    case 9:
      paths[path].anaState =
        [.optimized, .nonOptimized, .inaccessible, .persistentLoss, .change].randomElement(using: &random) ?? .optimized
      queue.schedule(.accessKnown(path: path), in: milliseconds(0...200))
    case 10:
      paths[path].anaState = .optimized
      queue.schedule(.accessKnown(path: path), in: milliseconds(0...200))
    case 11:
      paths[path].hasNamespace.toggle()
      queue.schedule(.accessKnown(path: path), in: milliseconds(0...200))
    case 12:
      paths[path].hasNamespace = true
      queue.schedule(.accessKnown(path: path), in: milliseconds(0...200))
    case 13: paths[path].errorProbability = chance(0.5) ? 0.3 : 0
    case 14, 15: try tell(path, .reset)
    case 16: try tell(path, chance(0.3) ? .disable : .enable)
    case 17: paths[path].refusesForGood = chance(0.3)
    case 18: if chance(0.05) { try tell(path, .delete) }
    case 19:
      paths[path].ignoresWrites = true
      paths[path].ignoresReads = chance(0.5)
    case 20, 21, 22: paths[path].answersIO()
    default: try tell(path, .enable)
    }
  }

  /// All faults end, and whoever has given up is asked to try again.
  private func heal() throws(Violation) {
    isHealing = true
    for path in paths.indices {
      paths[path].heal()
      queue.schedule(.accessKnown(path: path), in: milliseconds(0...100))
      // What was on the wire of a silent network is gone: the loss is noticed.
      if paths[path].recovery.association == .ready {
        let hasStuck = commands.contains {
          $0.path == path && $0.association == paths[path].association && !$0.hasEnded
        }
        if hasStuck { try lose(path) }
      }
      try tell(path, .enable)
    }
  }

  // MARK: At the end

  private func checkQuiet() throws(Violation) {
    for path in paths.indices {
      let recovery = paths[path].recovery
      switch recovery.state {
      case .enabled, .deleted: break
      default:
        // An attempt that failed just before all was healed may have ended it for good.
        if recovery.state == .failed && recovery.failure != nil { break }
        throw violation("path \(path) is \(recovery.state) (\(recovery.association)) long after all is well")
      }
      if recovery.state == .enabled && paths[path].probation.isOn {
        throw violation("path \(path) is on probation long after all is well")
      }
      if engine.selector.outstandingCount(of: path) != 0 {
        throw violation("path \(path) has lost count of its requests")
      }
    }
    if let index = requests.firstIndex(where: { $0.isOpen }) { throw violation("request \(index) has never ended") }
    if engine.heldCount != 0 { throw violation("\(engine.heldCount) requests are held for ever") }
    if !busyBlocks.isEmpty { throw violation("blocks \(busyBlocks) are still in use") }
  }

  /// I/O flows again: each block is read, written, and read.
  private func finalCheck() throws(Violation) {
    let isUsable = paths.contains { $0.recovery.state == .enabled }
    for isWrite in [false, true, false] {
      for block in 0..<Self.blockCount {
        if isWrite { nextValue += 1 }
        let before = report.successCount
        try begin(0, Request(isWrite: isWrite, block: block, value: isWrite ? nextValue : 0, issued: now))
        try play(until: now + 2000 * Self.millisecond)
        if requests[0].isOpen { throw violation("I/O does not flow again") }
        if isUsable && report.successCount == before { throw violation("I/O fails long after all is well") }
      }
    }
  }
}
