internal import NVMeProtocol
internal import RingReactor

/// Carries out what a ``DiscoveryTracker`` wants, on its home reactor: keeps a controller for each service, reads logs,
/// keeps the time, and publishes what came of it.
///
/// Used on the home reactor's thread only, hence safe to be named by whoever sends it messages.
final class DiscoveryDriver: @unchecked Sendable {
  private let plan: PersistentDiscovery.Plan
  private let news: DiscoveryNews
  private unowned(unsafe) let reactor: Reactor
  private var tracker: DiscoveryTracker
  private var links: [DiscoveryServiceIdentifier: DiscoveryLink] = [:]
  /// Controllers that are on their way out.
  private(set) var leaving: [Controller] = []
  private var timer: DiscoveryTimer?
  private var events: [DiscoveryTrackerEvent] = []
  private var isStepping = false
  private var isFirst = true

  init(reactor: Reactor, plan: PersistentDiscovery.Plan, news: DiscoveryNews) {
    self.reactor = reactor
    self.plan = plan
    self.news = news
    tracker = DiscoveryTracker(
      start: plan.start, limits: plan.configuration.limits, pollMilliseconds: plan.configuration.pollMilliseconds)
    timer = DiscoveryTimer(reactor: reactor, driver: self)
  }

  func handle(_ event: DiscoveryTrackerEvent) {
    // Events may come while actions are being carried out: they wait their turn.
    events.append(event)
    guard !isStepping else { return }
    isStepping = true
    while !events.isEmpty {
      let event = events.removeFirst()
      tracker.handle(event, nowNanoseconds: reactor.readClock())
      // What is told can be read by then.
      publish()
      while let action = tracker.nextAction() { carryOut(action) }
      settle(event)
    }
    isStepping = false
    if let timer { reactor.setDeadline(tracker.nextDeadlineNanoseconds, of: timer) }
  }

  /// Ends everything; what is left of the controllers is ``leaving``.
  func stop() {
    handle(.stop)
    news.settle(.controller(.disconnected))
    timer?.retire()
    timer = nil
  }

  func reactorIsEnding() {
    news.settle(.controller(.disconnected))
    timer = nil
  }

  private func publish() {
    news.publish(
      PersistentDiscovery.Snapshot(
        services: tracker.serviceReports, paths: tracker.paths, skippedReferralCount: tracker.skippedReferralCount))
  }

  /// The user's own service is the first there is.
  private func settle(_ event: DiscoveryTrackerEvent) {
    guard let first = tracker.serviceReports.first else { return }
    if first.generationCounter != nil {
      news.settle(nil)
    } else if let error = first.error {
      switch event {
      case .failed, .readFailed: news.settle(error)
      default: break
      }
    }
  }

  private func carryOut(_ action: DiscoveryTrackerAction) {
    switch action {
    case .connect(let service, let target):
      if let link = links.removeValue(forKey: service) { end(link) }
      connect(service, target)
    case .disconnect(let service):
      if let link = links.removeValue(forKey: service) { end(link) }
    case .readLog(let service):
      if let link = links[service] { read(link) }
    case .tell(let event):
      news.tell(event)
    }
  }

  // MARK: Controllers

  private func connect(_ service: DiscoveryServiceIdentifier, _ target: TargetIdentifier) {
    let controller = Controller(
      transport: plan.makeTransport(target),
      configuration: plan.controllerConfiguration(target, isFirst: isFirst), home: plan.home)
    isFirst = false
    let link = DiscoveryLink(service: service, controller: controller)
    links[service] = link
    link.observer = controller.addObserver { [weak self, weak link] notice in
      if let self, let link { self.take(notice, link) }
    }
    controller.connect()
  }

  private func take(_ notice: ControllerNotice, _ link: DiscoveryLink) {
    guard links[link.service] === link else { return }
    let snapshot = link.controller.snapshot
    switch notice {
    case .ready:
      handle(
        .connected(link.service, reportsChanges: snapshot.configuredEvents.contains(.discoveryLogPageChange)))
    case .discoveryLogChanged:
      handle(.logChanged(link.service))
    case .recovery(.resetting, _), .recovery(.reconnectDelayed, _):
      let recovery = snapshot.recovery
      guard recovery.lossCount > 0 || recovery.failedAttemptCount > 0 else { return }
      link.reader = nil
      let error = recovery.attemptsSinceLoss > 1 || recovery.lossCount == 0 ? recovery.lastAttemptFailure : nil
      handle(.lost(link.service, error ?? recovery.lastLossReason ?? .disconnected))
    case .closed(let error):
      link.reader = nil
      handle(.failed(link.service, error ?? .disconnected))
    case .removed, .namespacesChanged, .anaChanged, .asynchronousEvent, .recovery, .commandsUnanswered,
      .associationEnded:
      break
    }
  }

  private func end(_ link: DiscoveryLink) {
    link.reader = nil
    let controller = link.controller
    controller.removeObserver(link.observer)
    leaving.append(controller)
    _ = controller.addObserver { [weak self, unowned controller] notice in
      if case .removed = notice { self?.leaving.removeAll { $0 === controller } }
    }
    controller.recovery.handle(.delete, on: reactor)
  }

  // MARK: Logs

  private func read(_ link: DiscoveryLink) {
    // 64 KiB at once where the controller can, 4 KiB being what every one can.
    let limit = link.controller.snapshot.maximumTransferByteCount ?? 4096
    link.reader = DiscoveryLogReader(
      readByteCount: min(limit, 1 << 16),
      recordLimit: min(DiscoveryLogReader.defaultRecordLimit, plan.configuration.limits.records))
    link.readNumber += 1
    readOn(link, link.readNumber)
  }

  private func readOn(_ link: DiscoveryLink, _ number: UInt64) {
    guard let next = link.reader?.nextRead() else {
      guard let reader = link.reader else { return }
      link.reader = nil
      handle(.logRead(link.service, generationCounter: reader.generationCounter, reader.entries))
      return
    }
    guard let driver = link.controller.recovery.driver else {
      failed(link, .controller(.disconnected))
      return
    }
    driver.submit(next.command, dataOut: [], dataInByteCount: next.byteCount) { [weak self] result in
      guard let self, self.links[link.service] === link, link.readNumber == number, link.reader != nil else { return }
      do throws(ControllerError) {
        let reply = try result.get()
        do throws(DiscoveryError) {
          try link.reader?.handle(reply.status, data: reply.data)
          self.readOn(link, number)
        } catch { self.failed(link, error) }
      } catch { self.failed(link, .controller(error)) }
    }
  }

  private func failed(_ link: DiscoveryLink, _ error: DiscoveryError) {
    link.reader = nil
    handle(.readFailed(link.service, error))
  }
}
