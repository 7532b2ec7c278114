internal import BlockDevice
internal import EmbeddedTarget

/// One association's controller: properties, asynchronous events, keep alive, and the commands it may still execute.
final class SimulatedController {
  let identifier: UInt16
  let target: SimulatedTarget
  private let timeline: Timeline
  private let keepAliveMilliseconds: UInt32
  /// By their identifiers.
  var queues: [UInt16: SimulatedTargetQueue] = [:]
  /// As the admin queue's Connect has asked for.
  var hasFlowControl = true
  var grantedQueueCount = 0
  /// It has not noticed a loss, and has not been shut down.
  private(set) var isAlive = true
  /// It executes nothing any more.
  private(set) var isQuiesced = false
  private var commands: [SimulatedIO] = []

  private(set) var configurationRegister = ControllerConfigurationRegister(rawValue: 0)
  private var shutdown = ControllerStatus.ShutdownStatus.normalOperation
  private var isReady = false
  private var keepAliveDeadline: UInt64 = .max
  var hasTraffic = false

  // Asynchronous events.
  var eventConfiguration = AsynchronousEventConfiguration()
  private var eventSlots: [Int] = []
  private var pendingEvents: [AsynchronousEvent] = []
  private var maskedEvents: [AsynchronousEvent] = []

  init(identifier: UInt16, target: SimulatedTarget, keepAliveMilliseconds: UInt32) {
    self.identifier = identifier
    self.target = target
    timeline = target.timeline
    self.keepAliveMilliseconds = keepAliveMilliseconds
    restartKeepAlive()
  }

  var isOver: Bool { isQuiesced && queues.isEmpty }

  // MARK: Properties

  var capabilities: ControllerCapabilities {
    ControllerCapabilities(maximumQueueEntries: target.queueEntries, timeoutMilliseconds: 1000)
  }

  var status: ControllerStatus {
    ControllerStatus(ready: isReady && !target.faults.isNotReady, fatal: target.faults.isFatal, shutdown: shutdown)
  }

  func configure(_ register: ControllerConfigurationRegister) {
    if register.enable && !configurationRegister.enable {
      timeline.after(timeline.milliseconds(0...30)) { [self] in isReady = true }
    }
    configurationRegister = register
    if register.shutdownNotification != .none && shutdown == .normalOperation { beginShutdown() }
  }

  private func beginShutdown() {
    shutdown = .occurring
    if target.confirmsShutdownAtOnce {
      // What is outstanding is executed all the same, until the host's time is over.
      shutdown = .complete
      return
    }
    timeline.after(timeline.milliseconds(0...300)) { [self] in
      isQuiesced = true
      for command in commands { drop(command) }
      commands.removeAll()
      shutdown = .complete
    }
  }

  // MARK: Keep alive

  func restartKeepAlive() {
    keepAliveDeadline = timeline.now + UInt64(keepAliveMilliseconds) * Timeline.millisecond
    let deadline = keepAliveDeadline
    timeline.after(deadline - timeline.now) { [self] in
      guard isAlive, keepAliveDeadline == deadline else { return }
      if target.hasTrafficBasedKeepAlive && hasTraffic {
        hasTraffic = false
        restartKeepAlive()
      } else {
        fail()
      }
    }
  }

  // MARK: Its end

  /// A connection has been lost: NVMe/TCP has no association without all of its connections, but not every controller
  /// ends the others at once.
  func connectionLost(_ queueIdentifier: UInt16) {
    guard isAlive else { return }
    if queueIdentifier == 0 || timeline.chance(0.5) { fail() }
  }

  /// It has noticed that its host is lost.
  func fail() {
    guard isAlive else { return }
    timeline.tell("controller \(identifier) gives its host up")
    isAlive = false
    for queue in queues.values.sorted(by: { $0.identifier < $1.identifier }) { queue.close() }
    beginQuiescing()
  }

  /// It forgets its host, without a word to it.
  func vanish() {
    isAlive = false
    for queue in queues.values { queue.forget() }
    queues.removeAll()
    beginQuiescing()
  }

  /// What it was sent is executed, or not, at the latest when its time is over: CQT, or as long as keep alive takes.
  private func beginQuiescing() {
    let limit =
      UInt64(target.quiesceMilliseconds > 0 ? UInt32(target.quiesceMilliseconds) : keepAliveMilliseconds)
      * Timeline.millisecond
    for command in commands where command.isWrite && !command.values.isEmpty {
      if timeline.chance(0.2) { continue }
      // Up to the last moment.
      let time = timeline.chance(0.4) ? limit - 1 : UInt64(timeline.number(0...Int(limit - 1)))
      run(command, after: time, isLate: true)
    }
    commands.removeAll { command in
      let stays = command.schedule < 0
      if !stays { command.isOver = true }
      return !stays
    }
    timeline.after(limit) { [self] in
      isQuiesced = true
      for command in commands { command.isOver = true }
      commands.removeAll()
    }
  }

  // MARK: Commands

  func take(_ command: SimulatedIO) {
    if isQuiesced || !isAlive { return }
    commands.append(command)
    if command.isWrite ? target.faults.ignoresWrites : target.faults.ignoresReads { return }
    let delay = target.faults.ioDelayMilliseconds
    let time =
      delay > 0 && timeline.chance(0.5)
      ? timeline.milliseconds(0...delay)
      : timeline.chance(0.03) ? timeline.milliseconds(0...50) : timeline.microseconds(5...target.usualMicroseconds)
    run(command, after: time, isLate: false)
  }

  private func run(_ command: SimulatedIO, after time: UInt64, isLate: Bool) {
    // Below 0: it outlives its association.
    command.schedule = isLate ? -1 - abs(command.schedule) : command.schedule + 1
    let schedule = command.schedule
    timeline.after(time) { [self] in
      guard !command.isOver, command.schedule == schedule, !isQuiesced else { return }
      command.isOver = true
      commands.removeAll { $0 === command }
      execute(command, isLate: isLate)
    }
  }

  private func execute(_ command: SimulatedIO, isLate: Bool) {
    let status = isLate ? .success : self.status(of: command)
    if status.isSuccess && command.isWrite {
      if target.faults.isStranger && !isLate { timeline.violate("a namespace is written to that is another one") }
      if isLate { target.report.lateExecutionCount += 1 }
      target.store.execute(command.values, at: command.block)
    }
    if !isLate { command.queue?.answer(command, status) }
  }

  private func status(of command: SimulatedIO) -> StatusField {
    let faults = target.faults
    switch faults.anaState {
    case .inaccessible: return .asymmetricAccessInaccessible
    case .persistentLoss: return .asymmetricAccessPersistentLoss
    case .change: return .asymmetricAccessTransition
    default: break
    }
    if !faults.hasNamespace {
      return timeline.chance(0.3) ? .invalidNamespaceOrFormat.withDoNotRetry : .internalPathError
    }
    if timeline.chance(faults.errorProbability) {
      return StatusField(
        .generic, 0x21, commandRetryDelay: UInt8(timeline.number(0...3)), doNotRetry: timeline.chance(0.1))
    }
    return .success
  }

  /// Abort: whether the command was found and will not be executed.
  func abort(_ commandIdentifier: UInt16, queueIdentifier: UInt16) -> Bool {
    guard timeline.chance(0.6),
      let command = commands.first(where: {
        $0.queue?.identifier == queueIdentifier && $0.command.commandIdentifier == commandIdentifier
      })
    else { return false }
    command.isOver = true
    commands.removeAll { $0 === command }
    command.queue?.answer(command, .commandAbortRequested)
    return true
  }

  private func drop(_ command: SimulatedIO) {
    command.isOver = true
    command.queue?.answer(command, .commandAbortedSQDeletion)
  }

  // MARK: Asynchronous events

  func notify(_ event: AsynchronousEvent) {
    let bit: AsynchronousEventConfiguration = event.matches(.anaChange) ? .anaChange : .namespaceAttribute
    guard eventConfiguration.contains(bit), !maskedEvents.contains(event), !pendingEvents.contains(event) else {
      return
    }
    pendingEvents.append(event)
    deliverEvents()
  }

  func addEventRequest(_ slot: Int) {
    eventSlots.append(slot)
    deliverEvents()
  }

  func logPageRead(_ page: LogPageIdentifier) { maskedEvents.removeAll { $0.logPage == page } }

  private func deliverEvents() {
    guard let admin = queues[0] else { return }
    while !eventSlots.isEmpty && !pendingEvents.isEmpty {
      let event = pendingEvents.removeFirst()
      maskedEvents.append(event)
      admin.respond(eventSlots.removeFirst(), dword0: event.rawValue)
    }
  }
}
