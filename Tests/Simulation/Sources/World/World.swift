internal import BlockDevice

/// A whole world from one seed: a multipath device's engine and its controllers' recovery state machines, unchanged, in a
/// simulated driver, against simulated controllers, networks and time. Nothing here reads a clock.
///
/// ``run()`` plays faults for a while, heals everything, and waits until all is quiet. It throws a ``Violation`` when a read
/// finds what it cannot, a request ends twice or never, something is lost or spins, or I/O does not flow again in time.
public final class World {
  enum Event {
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

  struct Request {
    var isWrite: Bool
    var block: Int
    var value: UInt64
    var issued: UInt64
    var isOpen = false
    /// A path has answered it with an error: where it goes next is the error's matter.
    var hasBeenAnswered = false
  }

  static let millisecond: UInt64 = 1_000_000
  static let blockCount = 12
  static let depth = 8
  static let ioTimeoutMilliseconds: UInt64 = 2000
  static let probationMilliseconds: ClosedRange<UInt32> = 500...4000
  static let unanswered = ControllerError.transport(
    queueIdentifier: 1, TransportError(.commandTimedOut, ""))

  let seed: UInt64
  let bug: PlantedBug?
  var random: SplitMix64Generator
  var queue = EventQueue<Event>()
  var now: UInt64 { queue.now }
  var engine: MultipathEngine
  var paths: [SimulatedPath] = []
  var commands: [SimulatedCommand] = []
  var requests: [Request]
  var busyBlocks: Set<Int> = []
  var disk = ModelDisk(blockCount: World.blockCount)
  var associationCount: UInt64 = 0
  var nextValue: UInt64 = 1
  var report = SimulationReport()
  var isHealing = false
  var lateUntil: UInt64 = 0
  let keepAliveMilliseconds: UInt32
  var bugHasStruck = false

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

  func makePath() -> SimulatedPath {
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

  func play(until end: UInt64) throws(Violation) {
    while let event = queue.next(until: end) {
      if queue.countAtOneTime > 5000 { throw violation("time does not pass: something spins") }
      try handle(event)
    }
  }

  func milliseconds(_ range: ClosedRange<UInt64>) -> UInt64 {
    UInt64.random(in: range, using: &random) * Self.millisecond
      + UInt64.random(in: 0..<Self.millisecond, using: &random)
  }

  func chance(_ probability: Double) -> Bool { random.nextUnit() < probability }

  func violation(_ text: String) -> Violation {
    Violation(seed: seed, milliseconds: now / Self.millisecond, text: text)
  }

  func handle(_ event: Event) throws(Violation) {
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
}
