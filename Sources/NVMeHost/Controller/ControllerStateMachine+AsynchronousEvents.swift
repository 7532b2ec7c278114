internal import NVMeProtocol

/// Asynchronous events: asked for, armed, acted upon.
extension ControllerStateMachine {
  private static let maximumAsynchronousEventCommands = 4
  /// The length of the shortest page that events name, an entry of the Error Information log.
  private static let eventLogPageByteCount = 64

  /// Asks for the events that we act upon, as far as the controller offers them (OAES).
  mutating func configureEvents(_ now: UInt64) {
    state = .configuringEvents
    let wanted: AsynchronousEventConfiguration =
      configuration.isDiscovery ? .discoveryLogPageChange : [.namespaceAttribute, .anaChange]
    configuredEvents = wanted.intersection(identification?.optionalAsynchronousEvents ?? [])
    guard !configuredEvents.isEmpty else {
      eventsConfigured(.success, now)
      return
    }
    submitStep(
      "configuring asynchronous events",
      .setFeatures(.asynchronousEventConfiguration, value: configuredEvents.rawValue), now)
  }

  mutating func eventsConfigured(_ status: StatusField, _ now: UInt64) {
    if !status.isSuccess { configuredEvents = [] }
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
      clear(event, now)
    }
  }

  /// Reads the page that an event names: until then the controller tells of no more events of that type (NVMe Base 2.1,
  /// section 5.1.2), such as the persistent internal error behind a transient one.
  private mutating func clear(_ event: AsynchronousEvent, _ now: UInt64) {
    guard event.logPage.rawValue > 0, !eventLogPages.contains(event.logPage) else { return }
    eventLogPages.append(event.logPage)
    readEventLogPageIfIdle(now)
  }

  /// One at a time. A refusal is as good: there is nobody who wants to know what the page says.
  mutating func readEventLogPageIfIdle(_ now: UInt64) {
    guard !isReadingEventLogPage, !eventLogPages.isEmpty else { return }
    let page = eventLogPages.removeFirst()
    isReadingEventLogPage = true
    submit(
      .eventLogPage, "reading log page \(page.rawValue) for its event",
      .getLogPage(page, byteCount: Self.eventLogPageByteCount), dataInByteCount: Self.eventLogPageByteCount,
      deadlineNanoseconds: adminDeadline(now))
  }
}
