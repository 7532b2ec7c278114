internal import NVMeProtocol

/// The end: asked for, or come to.
extension ControllerStateMachine {
  mutating func beginShutdown(_ now: UInt64) {
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
      anaTransitions = [:]
      cancelRetries()
      state = .requestingShutdown
      pending = pending.filter { if case .asynchronousEvent = $0.value.purpose { true } else { false } }
      stepDeadlineNanoseconds = now &+ UInt64(configuration.shutdownTimeoutMilliseconds) * 1_000_000
      pollDeadlineNanoseconds = .max
      submitStep(
        "requesting shutdown",
        .propertySet(.controllerConfiguration, value: UInt64(configurationRegister(shutdown: .normal).rawValue)), now)
    }
  }

  mutating func fail(_ error: ControllerError) {
    guard state != .closing && state != .closed else { return }
    if self.error == nil && state != .requestingShutdown && state != .waitingForShutdown { self.error = error }
    closeQueues()
  }

  mutating func closeQueues() {
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

  mutating func clearDeadlines() {
    stepDeadlineNanoseconds = .max
    pollDeadlineNanoseconds = .max
    nextKeepAliveNanoseconds = .max
    anaTransitions = [:]
    cancelRetries()
    isLookingForTraffic = false
  }

  private mutating func cancelRetries() {
    scanRetry.cancel()
    changedListRetry.cancel()
    anaLogRetry.cancel()
  }
}
