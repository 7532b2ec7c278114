import NVMeHost
import NVMeProtocol
import Testing

/// A recovery state machine and a virtual clock; checks on the way what must always hold.
struct RecoveryHarness: VirtualClock {
  static let transient = ControllerError.transport(queueIdentifier: 0, TransportError(.broken, "broken"))
  static let doNotRetry = ControllerError.connectRefused(
    queueIdentifier: 0, StatusField(.commandSpecific, 0x82, doNotRetry: true), result: 0, subsystemNQN: "s",
    hostNQN: "h")

  var machine: RecoveryStateMachine
  var now: UInt64 = 1_000_000_000_000
  /// Everything it wanted, in order.
  private(set) var actions: [RecoveryAction] = []

  init(
    _ timers: RecoveryTimers? = nil, retriesFirstConnect: Bool = false, seed: UInt64 = 1
  ) throws {
    let standard = try RecoveryTimers(
      reconnectDelayMilliseconds: 2000, controllerLossTimeoutMilliseconds: 60_000, fastIOFailTimeoutMilliseconds: 10_000
    )
    machine = RecoveryStateMachine(
      timers: timers ?? standard, retriesFirstConnect: retriesFirstConnect, seed: seed)
  }

  var place: String { "\(machine.state.rawValue) (\(machine.association.rawValue))" }
  var deletionReason: DeletionReason? {
    for case .deleted(let reason) in actions { return reason }
    return nil
  }

  mutating func send(_ events: RecoveryEvent...) {
    for event in events {
      machine.handle(event, nowNanoseconds: now)
      while let action = machine.nextAction() {
        #expect(deletionReason == nil, "\(action) after the end")
        actions.append(action)
        if action == .connect { #expect(machine.association == .connecting) }
        if action == .disconnect { #expect(machine.association == .closing) }
      }
      checkAlways()
    }
  }

  /// An association that could not be made.
  mutating func failAttempt(_ error: ControllerError = Self.transient) {
    send(.associationLost(error), .associationClosed)
  }

  var nextDeadlineNanoseconds: UInt64? { machine.nextDeadlineNanoseconds }
  mutating func sendDeadline() { send(.deadline) }

  mutating func clearActions() { actions = [] }

  func count(_ action: RecoveryAction) -> Int { actions.count { $0 == action } }

  private func checkAlways() {
    switch machine.state {
    case .enabled:
      #expect(machine.association == .ready && machine.ioDisposition == .submit)
      #expect(machine.nextDeadlineNanoseconds == nil)
    case .resetting:
      #expect(machine.association == .connecting || machine.association == .closing)
      #expect(machine.ioDisposition != .submit)
    case .reconnectDelayed:
      #expect(machine.association == .none && machine.nextDeadlineNanoseconds != nil)
      #expect(machine.statistics.nextAttemptNanoseconds != nil)
      #expect(machine.ioDisposition != .submit)
    case .failed, .disabled:
      #expect(machine.association == .none || machine.association == .closing)
      #expect(machine.ioDisposition == .fail)
    case .deleting:
      // It always ends: by the association's end or by time.
      #expect(machine.association == .closing && machine.nextDeadlineNanoseconds != nil)
      #expect(machine.ioDisposition == .fail)
    case .deleted:
      #expect(machine.association == .none && machine.isAtRest && machine.ioDisposition == .fail)
    }
    if let deadline = machine.nextDeadlineNanoseconds { #expect(deadline > now, "a deadline in the past") }
  }
}
