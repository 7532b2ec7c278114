internal import RingReactor

/// Carries out what a controller's ``RecoveryStateMachine`` wants, on the controller's home reactor: makes and ends
/// associations, keeps the time, and publishes what came of it.
///
/// It belongs to its controller and is used on the home reactor's thread only.
final class RecoveryDriver {
  private unowned let controller: Controller
  private var machine: RecoveryStateMachine
  /// The present association's, until nothing of it is left.
  private(set) var driver: ControllerDriver?
  private var timer: RecoveryTimer?
  private var associationCount: UInt64 = 0
  private var events: [RecoveryEvent] = []
  private var isStepping = false

  init(controller: Controller) {
    self.controller = controller
    let configuration = controller.configuration
    machine = RecoveryStateMachine(
      timers: configuration.recovery, retriesFirstConnect: configuration.retriesFirstConnect,
      // An association's own deadlines come first.
      deletionTimeoutMilliseconds: configuration.shutdownTimeoutMilliseconds &+ 5000,
      seed: .random(in: .min ... .max))
  }

  /// Why a wish would have no effect now.
  func refusal(of event: RecoveryEvent) -> RecoveryRefusal? { machine.refusal(of: event) }

  func handle(_ event: RecoveryEvent, on reactor: Reactor) {
    // Events may come while actions are being carried out: they wait their turn.
    events.append(event)
    guard !isStepping else { return }
    isStepping = true
    while !events.isEmpty {
      let before = (machine.state, machine.ioDisposition)
      machine.handle(events.removeFirst(), nowNanoseconds: reactor.readClock())
      var deletion: DeletionReason?
      var isChanged = false
      while let action = machine.nextAction() {
        switch action {
        case .connect:
          associationCount += 1
          let driver = ControllerDriver(reactor: reactor, controller: controller, association: associationCount)
          self.driver = driver
          driver.handle(.start)
        case .disconnect:
          if let driver { driver.disconnect() } else { events.append(.associationClosed) }
        case .stateChanged, .ioDispositionChanged: isChanged = true
        case .deleted(let reason): deletion = reason
        }
      }
      keepTime(on: reactor)
      controller.publish(machine, association: associationCount)
      // Some changes take themselves back before anyone could have seen them.
      if isChanged && before != (machine.state, machine.ioDisposition) {
        controller.notify(.recovery(machine.state, machine.ioDisposition))
      }
      if let deletion { controller.notify(.removed(deletion)) }
    }
    isStepping = false
    // Its queues may have nobody any more to report their ends to, and it keeps the controller until then.
    if machine.deletionReason == .reactorGone { driver = nil }
    if machine.isAtRest && driver == nil {
      // The controller may go with it.
      timer?.retire()
      timer = nil
    }
  }

  private func keepTime(on reactor: Reactor) {
    if machine.isAtRest && timer == nil { return }
    let timer = timer ?? RecoveryTimer(reactor: reactor, controller: controller)
    self.timer = timer
    reactor.setDeadline(machine.nextDeadlineNanoseconds, of: timer)
  }

  /// An association's report. That of one that has been given up is no news.
  func associationReported(_ driver: ControllerDriver, _ event: RecoveryEvent, isQuiesced: Bool) {
    guard driver === self.driver else { return }
    if event == .associationClosed {
      self.driver = nil
      controller.notify(.associationEnded(driver.association, isQuiesced: isQuiesced))
    }
    handle(event, on: driver.reactor)
  }
}
