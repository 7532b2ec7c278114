internal import Logging
internal import NVMeProtocol
internal import RingReactor

/// Carries out what a ``ControllerStateMachine`` wants, on the controller's home reactor: makes queues, submits admin
/// commands, keeps the timer, and publishes what came of it in the ``Controller``'s snapshot.
final class ControllerDriver: CompletionSink {
  /// Kept until the association is over: a controller that nobody else holds must still be closed in good order.
  private let controller: Controller
  /// Which of the controller's associations this is: a late report of an earlier one is recognised by it.
  let association: UInt64
  private var machine: ControllerStateMachine
  private var adminQueue: FabricsQueue?
  private var isAdminConnected = false
  /// What the association's I/O queues are made with: they go where the admin queue went.
  private var ioTransport: any Transport
  private var commands: [UInt32: AdminCommand] = [:]
  /// Accepted, but the admin queue had no room for them.
  private var waiting: [AdminCommand] = []
  /// Users' commands among `commands`.
  private var userCommandCount = 0
  private var nextUserTag: UInt32 = 0x8000_0000
  private var openQueues: Set<UInt16> = []
  private var isClosingQueues = false
  private var isStepping = false
  /// The controller as the association before this one left it.
  private let known: Controller.Snapshot
  private var events: [ControllerEvent] = []
  /// I/O queues whose commands are waited for before the controller is shut down; nil while none are.
  private var drainingQueues: Set<UInt16>?
  private var drainDeadlineNanoseconds: UInt64 = .max
  /// It was shut down with I/O commands outstanding.
  private var hasLeftCommands = false
  /// Aborts that are to be sent, and how many have been and are not answered.
  private var waitingAborts: [SubmissionQueueEntry] = []
  private var abortCount = 0
  /// The latest look for traffic, and queues that have not told yet.
  private var trafficLook: UInt64 = 0
  private var silentQueueCount = 0

  /// Admin commands of users that may wait for a place in the queue.
  private static let maximumWaitingCommands = 1024
  /// Places in the admin queue that users' commands leave to the association's own: four asynchronous event requests, keep
  /// alive, CSTS, a scan, three log pages, and a step. A keep alive that waits for a user's slow command would be a loss.
  private static let reservedCommandCount = 11
  private static let maximumUserCommandCount = ControllerConfiguration.adminQueueDepth - reservedCommandCount

  init(reactor: Reactor, controller: Controller, association: UInt64) {
    self.controller = controller
    self.association = association
    known = controller.snapshot
    ioTransport = controller.transport
    machine = ControllerStateMachine(configuration: controller.configuration)
    super.init(reactor: reactor)
  }

  func handle(_ event: ControllerEvent) {
    // Events may come while actions are being carried out: they wait their turn.
    events.append(event)
    guard !isStepping else { return }
    isStepping = true
    while !events.isEmpty {
      machine.handle(events.removeFirst(), nowNanoseconds: reactor.readClock())
      while let action = machine.nextAction() { carryOut(action) }
    }
    isStepping = false
    keepTime()
  }

  private func keepTime() {
    guard machine.state != .closed else { return }
    var deadline = machine.nextDeadlineNanoseconds ?? .max
    for command in commands.values { deadline = min(deadline, command.deadlineNanoseconds) }
    deadline = min(deadline, drainDeadlineNanoseconds)
    reactor.setDeadline(deadline == .max ? nil : deadline, of: self)
  }

  override func deadlineExpired() {
    let now = reactor.readClock()
    if drainDeadlineNanoseconds <= now { endDrain() }
    if commands.values.contains(where: { $0.deadlineNanoseconds <= now }) {
      for command in commands.values { command.deadlineNanoseconds = .max }
      let milliseconds = controller.configuration.adminTimeoutMilliseconds
      handle(.queueFailed(identifier: 0, .adminTimeout(step: "an admin command", milliseconds: milliseconds)))
    } else {
      handle(.deadline)
    }
  }

  private func carryOut(_ action: ControllerAction) {
    switch action {
    case .connectQueue(let identifier, let entries, let controllerIdentifier):
      if identifier == 1 { tellNamespaces() }
      connectQueue(identifier, entries, controllerIdentifier)
    case .submitAdmin(let tag, let command, let dataOut, let dataInByteCount):
      start(AdminCommand(tag: tag, command: command, dataOut: dataOut, dataInByteCount: dataInByteCount, reply: nil))
    case .lookForTraffic:
      lookForTraffic()
    case .ready:
      controller.publish(machine)
      tell(.associationReady)
    case .namespacesChanged(let changes):
      controller.publish(machine)
      controller.notify(.namespacesChanged(changes))
    case .anaChanged:
      controller.publish(machine)
      controller.notify(.anaChanged)
    case .discoveryLogChanged:
      controller.notify(.discoveryLogChanged)
    case .asynchronousEvent(let result):
      controller.notify(.asynchronousEvent(result))
    case .closeQueues:
      closeQueues()
    case .closed:
      reactor.setDeadline(nil, of: self)
      tell(.associationClosed)
      retire()
    }
  }

  /// What has changed since the last association is news like any other, and told before there is a queue for I/O: a device
  /// in whose place there is another one now must not send it a request that was meant for itself, and what was held for a
  /// controller must not come in larger pieces than it takes now.
  private func tellNamespaces() {
    guard association > 1 else { return }
    let changes = NamespaceChange.changes(from: known.namespaces, to: machine.namespaces)
    guard !changes.isEmpty || !hasKnownLimits else { return }
    controller.publish(machine)
    controller.notify(.namespacesChanged(changes))
  }

  private var hasKnownLimits: Bool {
    known.maximumTransferByteCount == machine.maximumTransferByteCount
      && known.commandSetLimits == machine.commandSetLimits
      && known.identification?.optionalIOCommands == machine.identification?.optionalIOCommands
      && known.identification?.hasVolatileWriteCache == machine.identification?.hasVolatileWriteCache
  }

  private func tell(_ event: RecoveryEvent) {
    controller.recovery.associationReported(self, event, isQuiesced: machine.isShutDown && !hasLeftCommands)
  }

  // MARK: The end

  /// How long I/O commands may take to end before the controller is shut down all the same.
  private static let drainMilliseconds: UInt32 = 1000

  /// Ends the association in good order: no I/O command is submitted any more, those outstanding are waited for (NVMe Base
  /// 2.1, section 3.6.1), then the controller is shut down.
  ///
  /// A controller that confirms its shutdown executes nothing any more; but Linux nvmet does so at once, whatever it has
  /// under way. What was outstanding then has an unknown outcome as after any loss.
  func disconnect() {
    let queues = openQueues.filter { $0 > 0 }
    guard machine.state == .ready, drainingQueues == nil, !queues.isEmpty else {
      handle(.shutdown)
      return
    }
    drainingQueues = queues
    let milliseconds = min(Self.drainMilliseconds, controller.configuration.shutdownTimeoutMilliseconds)
    drainDeadlineNanoseconds = reactor.readClock() &+ UInt64(milliseconds) * 1_000_000
    let (association, controller, home) = (association, controller, controller.home)
    for identifier in queues.sorted() {
      let queue = controller.ioQueue(identifier)
      queue.reactor.post { _ in
        queue.drain {
          home.post { _ in
            guard let driver = controller.recovery.driver, driver.association == association else { return }
            driver.drained(identifier)
          }
        }
      }
    }
    keepTime()
  }

  private func drained(_ identifier: UInt16) {
    drainingQueues?.remove(identifier)
    if drainingQueues?.isEmpty == true { endDrain() }
  }

  private func endDrain() {
    guard let left = drainingQueues else { return }
    hasLeftCommands = !left.isEmpty
    drainingQueues = nil
    drainDeadlineNanoseconds = .max
    handle(.shutdown)
  }

  /// Queues on other reactors cannot report to this one any more: they are told to close, and not waited for.
  override func reactorIsEnding() {
    for identifier in openQueues.sorted() where identifier > 0 {
      let queue = controller.ioQueue(identifier)
      queue.reactor.post { _ in queue.close { _ in } }
    }
    controller.recovery.handle(.reactorGone, on: reactor)
  }

  // MARK: Queues

  private func connectQueue(_ identifier: UInt16, _ entries: UInt16, _ controllerIdentifier: UInt16) {
    let plan = FabricsQueue.Plan(
      transport: identifier == 0 ? controller.transport : ioTransport, configuration: controller.configuration,
      queueIdentifier: identifier, entries: entries, controllerIdentifier: controllerIdentifier,
      // The admin queue's capsules may always carry 8 KiB (NVMe/TCP 1.1, section 3.3).
      maximumInCapsuleByteCount: identifier == 0 ? 8192 : machine.maximumInCapsuleByteCount)
    openQueues.insert(identifier)
    if identifier == 0 {
      adminQueue = FabricsQueue(reactor: reactor, plan: plan) { [unowned self] in queueReported(0, $0) }
      return
    }
    let queue = controller.ioQueue(identifier)
    let report = reporter(of: identifier)
    let isPosted = queue.reactor.post { [association] reactor in
      queue.open(on: reactor, association: association, plan: plan, report: report)
    }
    if !isPosted {
      report(.failed(.transport(queueIdentifier: identifier, TransportError(.local, "\(ReactorGone())"))))
      report(.closed)
    }
  }

  /// Takes a queue's reports from its reactor to ours.
  private func reporter(of identifier: UInt16) -> @Sendable (FabricsQueue.Report) -> Void {
    let home = controller.home
    let (controller, association) = (controller, association)
    return { report in
      home.post { _ in controller.queueReported(identifier, report, association: association) }
    }
  }

  func queueReported(_ identifier: UInt16, _ report: FabricsQueue.Report) {
    switch report {
    case .connected(let controllerIdentifier):
      if identifier == 0 {
        isAdminConnected = true
        if let pinned = adminQueue?.pinnedTransport { ioTransport = pinned }
      }
      handle(.queueConnected(identifier: identifier, controllerIdentifier: controllerIdentifier))
    case .failed(let error):
      if identifier == 0 { isAdminConnected = false }
      // What was left is lost with its queue, and the time that a controller may still execute it runs from now on (NVMe
      // Base 2.1, section 9.6): the host may not go on talking to it, as it would by reading CSTS, which proves nothing here.
      handle(.queueFailed(identifier: hasLeftCommands ? 0 : identifier, error))
    case .timedOut(let commandIdentifiers):
      controller.noteAborts(commandIdentifiers.count)
      // First: what is aborted is not to be sent the same way again.
      controller.notify(.commandsUnanswered(queueIdentifier: identifier, nanoseconds: reactor.readClock()))
      waitingAborts += commandIdentifiers.map { .abort(commandIdentifier: $0, queueIdentifier: identifier) }
      sendAborts()
    case .closed:
      if identifier == 0 {
        isAdminConnected = false
        adminQueue = nil
        failWaiting()
      }
      if openQueues.remove(identifier) != nil && isClosingQueues && openQueues.isEmpty { handle(.queuesClosed) }
    }
  }

  private func closeQueues() {
    isClosingQueues = true
    drainingQueues = nil
    drainDeadlineNanoseconds = .max
    if let error = machine.error { tell(.associationLost(error)) }
    if openQueues.isEmpty {
      events.append(.queuesClosed)
      return
    }
    adminQueue?.close()
    for identifier in openQueues.sorted() where identifier > 0 {
      let queue = controller.ioQueue(identifier)
      let report = reporter(of: identifier)
      // A reactor that is gone has taken its queue along.
      if !queue.reactor.post({ _ in queue.close(report: report) }) { report(.closed) }
    }
  }

  /// A controller takes so many at once as it says (ACL, NVMe Base 2.1, section 5.1.1). Whether an abort does anything is
  /// seen by whether the command ends.
  private func sendAborts() {
    let limit = Int(machine.identification?.abortCommandLimit ?? 0) + 1
    while abortCount < limit, !waitingAborts.isEmpty {
      abortCount += 1
      submit(waitingAborts.removeFirst(), dataOut: [], dataInByteCount: 0) { [weak self] result in
        self?.abortCount -= 1
        if case .success = result { self?.sendAborts() }
      }
    }
  }

  // MARK: Traffic

  /// Asks all queues. One message a queue and look: the path of an I/O has no part in it.
  private func lookForTraffic() {
    trafficLook += 1
    silentQueueCount = openQueues.count
    let (look, association, controller, home) = (trafficLook, association, controller, controller.home)
    for identifier in openQueues where identifier > 0 {
      let queue = controller.ioQueue(identifier)
      queue.reactor.post { _ in
        let isThere = queue.takeTraffic()
        home.post { _ in
          guard let driver = controller.recovery.driver, driver.association == association else { return }
          driver.trafficReported(isThere, look)
        }
      }
    }
    trafficReported(adminQueue?.front?.takeTraffic() ?? false, look)
  }

  private func trafficReported(_ isThere: Bool, _ look: UInt64) {
    // What comes too late is of an earlier look.
    guard look == trafficLook, silentQueueCount > 0 else { return }
    silentQueueCount = isThere ? 0 : silentQueueCount - 1
    guard silentQueueCount == 0 else { return }
    if isThere { controller.noteOmittedKeepAlive() }
    handle(.traffic(isThere))
  }

  // MARK: Admin commands

  func inject(_ injection: ErrorInjection) -> Bool { isAdminConnected && adminQueue?.inject(injection) == true }
  func removeInjections(opcode: UInt8) { adminQueue?.removeInjections(opcode: opcode) }

  /// A user's command.
  func submit(
    _ command: SubmissionQueueEntry, dataOut: [UInt8], dataInByteCount: Int,
    reply: @escaping (Result<AdminReply, ControllerError>) -> Void
  ) {
    guard isAdminConnected else {
      reply(.failure(lossReason))
      return
    }
    guard waiting.count < Self.maximumWaitingCommands else {
      reply(.failure(.busy(waitingCount: waiting.count)))
      return
    }
    let tag = nextUserTag
    nextUserTag = nextUserTag == .max ? 0x8000_0000 : nextUserTag + 1
    start(
      AdminCommand(tag: tag, command: command, dataOut: dataOut, dataInByteCount: dataInByteCount, reply: reply))
    keepTime()
  }

  private func start(_ command: AdminCommand) {
    guard let queuePair = adminQueue?.front else {
      if let reply = command.reply { reply(.failure(lossReason)) } else { handle(.adminLost(tag: command.tag)) }
      return
    }
    if command.reply != nil && userCommandCount == Self.maximumUserCommandCount {
      waiting.append(command)
      return
    }
    let configuration = controller.configuration
    if command.reply != nil && configuration.timeoutAction != .none && configuration.adminTimeoutMilliseconds > 0 {
      command.deadlineNanoseconds =
        reactor.readClock() &+ UInt64(configuration.adminTimeoutMilliseconds) * 1_000_000
    }
    commands[command.tag] = command
    let isSubmitted = queuePair.submit(
      command.command, data: command.segments, direction: command.direction, sink: .passUnretained(self),
      token: UInt64(command.tag))
    if !isSubmitted {
      commands[command.tag] = nil
      waiting.append(command)
    } else if command.reply != nil {
      userCommandCount += 1
    }
  }

  override func complete(_ completion: CommandCompletion) {
    guard let command = commands.removeValue(forKey: UInt32(truncatingIfNeeded: completion.token)) else { return }
    if command.reply != nil { userCommandCount -= 1 }
    if completion.outcome == .answered || completion.outcome == .dataDigestError || completion.outcome == .shortData {
      let entry = CompletionQueueEntry(
        status: completion.status, dword0: UInt32(truncatingIfNeeded: completion.result),
        dword1: UInt32(truncatingIfNeeded: completion.result >> 32))
      if let reply = command.reply {
        reply(.success(AdminReply(completion: entry, data: command.dataIn)))
      } else {
        handle(.adminCompleted(tag: command.tag, entry, data: command.dataIn))
      }
    } else if let reply = command.reply {
      reply(.failure(lossReason))
    } else {
      handle(.adminLost(tag: command.tag))
    }
    if let next = nextWaiting {
      start(waiting.remove(at: next))
      keepTime()
    }
  }

  /// The association's own come first.
  private var nextWaiting: Int? {
    if let own = waiting.firstIndex(where: { $0.reply == nil }) { return own }
    return waiting.isEmpty || userCommandCount == Self.maximumUserCommandCount ? nil : 0
  }

  private func failWaiting() {
    let commands = waiting
    waiting = []
    for command in commands { command.reply?(.failure(lossReason)) }
  }

  /// Why commands get no answer: what has ended the association, or what the admin queue's connection died of, which has
  /// not been reported yet when its commands end.
  private var lossReason: ControllerError {
    machine.error ?? adminQueue?.front?.failure.map { .transport(queueIdentifier: 0, $0) } ?? .disconnected
  }
}
