internal import NVMeProtocol

/// Asynchronous events: asked for, armed, acted upon.
extension ControllerStateMachine {
  private static let maximumAsynchronousEventCommands = 4

  /// Asks for the events that we act upon, as far as the controller offers them (OAES).
  mutating func configureEvents(_ now: UInt64) {
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

  mutating func eventsConfigured(_ status: StatusField, _ now: UInt64) {
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

  private mutating func armAsynchronousEvent() {
    submit(
      .asynchronousEvent, "an asynchronous event request", .asynchronousEventRequest(), deadlineNanoseconds: .max)
  }

  mutating func handleAsynchronousEvent(_ completion: CompletionQueueEntry, _ now: UInt64) {
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
    } else if event.matches(.persistentInternalError) {
      // It cannot tell which commands are concerned, and CSTS.CFS may not be set: the host resets it (NVMe Base 2.1, section
      // 5.1.2.1).
      fail(.persistentInternalError)
    } else {
      actions.append(.asynchronousEvent(result: completion.dword0))
    }
  }
}
