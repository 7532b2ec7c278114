extension ControllerCondition {
  /// What a controller's state means to whoever only wants to know whether it can be used.
  ///
  /// - Parameter deletionError: for a controller whose reactor has ended.
  init(_ machine: RecoveryStateMachine, deletionError: @autoclosure () -> ControllerError) {
    switch machine.state {
    case .enabled: self = .ready
    case .resetting, .reconnectDelayed: self = .connecting
    case .disabled: self = machine.association == .none ? .closed(nil) : .closing
    case .failed:
      let error = machine.failure
      self = machine.association == .none ? .closed(error) : .closing
    case .deleting: self = .closing
    case .deleted:
      switch machine.deletionReason {
      case .requested: self = .closed(nil)
      case .controllerLossTimeout(let error): self = .closed(error ?? .disconnected)
      case .reactorGone: self = .closed(deletionError())
      }
    }
  }
}
