internal import NVMeHost
internal import NVMeProtocol
internal import RingReactor

/// A path as its ``MultipathBlockDevice`` knows it.
struct MultipathPath {
  let identifier: MultipathPathIdentifier
  let controller: Controller
  let numaNode: UInt32?
  /// Counts what goes this way; nil where that is not wished for.
  let meter: MeterCore?
  var observer: UInt64 = 0
  var isPreferred = false
  var membership = SubsystemMembership()
  private(set) var device: NVMeBlockDevice?
  /// Of the namespace as the controller presents it; nil until it has.
  private(set) var limits: NVMeNamespaceLimits?
  private(set) var availability = PathAvailability.unavailable(.connecting)
  /// The controller's association that `association` stands for.
  private(set) var controllerAssociation: UInt64 = 0
  /// Counted over all paths of the device; see ``MultipathPathUpdate/association``.
  private(set) var association: UInt64 = 0
  /// The namespace that `association` stands for.
  private var numberedDevice: NVMeBlockDevice?
  private(set) var probation: PathProbation
  /// Waits for its time, or is under way.
  private(set) var probe: PathProbe?
  /// What channels have been told last.
  private(set) var update = MultipathPathUpdate(
    availability: .unavailable(.connecting), association: 0, quiesceNanoseconds: nil)

  init(
    identifier: MultipathPathIdentifier, controller: Controller, numaNode: UInt32?, meter: MeterCore?,
    probation: PathProbation
  ) {
    self.identifier = identifier
    self.controller = controller
    self.numaNode = numaNode
    self.meter = meter
    self.probation = probation
  }

  /// An association that has not been seen yet gets the next number; so does one in which the namespace has come back: what
  /// ends late of requests to the one that went, not sent because it had, says nothing about this one.
  mutating func number(_ controllerAssociation: UInt64, _ associationCount: inout UInt64) {
    guard self.controllerAssociation != controllerAssociation || numberedDevice !== device else { return }
    self.controllerAssociation = controllerAssociation
    numberedDevice = device
    associationCount += 1
    association = associationCount
  }

  /// What is in the way of the namespace on a controller that is connected; nil when nothing is.
  mutating func obstacle(
    _ snapshot: Controller.Snapshot, _ namespaceIdentifier: UInt32, _ known: inout MultipathNamespace
  ) -> PathObstacle? {
    guard let namespace = snapshot.namespaces[namespaceIdentifier] else { return .namespaceMissing }
    if let reason = namespace.unusableReason { return .namespaceMismatch(reason) }
    if known.identity == nil {
      known.identity = namespace
    } else {
      let isOnly = device?.namespace.hasSameIdentity(as: namespace) ?? false
      if let difference = known.difference(from: namespace), !isOnly { return .namespaceMismatch(difference) }
    }
    // Not asked of the device, which may hear of the change after us.
    limits = NVMeNamespaceLimits(
      namespace, snapshot, hostLimitByteCount: controller.configuration.maximumTransferByteCount)
    if device == nil || device?.isGone == true {
      device = NVMeBlockDevice(controller: controller, namespace: namespace)
    }
    return nil
  }

  /// Takes what has been found out, for channels too.
  ///
  /// - Returns: the news.
  mutating func take(_ availability: PathAvailability, _ snapshot: Controller.Snapshot) -> [MultipathEvent] {
    var events: [MultipathEvent] = []
    probation.look(snapshot.recovery, isConnected: snapshot.state == .enabled)
    if update.isOnProbation != probation.isOn {
      events.append(probation.isOn ? .pathProbationBegan(identifier) : .pathProbationEnded(identifier))
    }
    if self.availability != availability {
      switch availability {
      case .optimized: events.append(.pathAvailable(identifier, isOptimized: true))
      case .nonOptimized: events.append(.pathAvailable(identifier, isOptimized: false))
      case .unavailable(let obstacle): events.append(.pathUnavailable(identifier, obstacle))
      }
    }
    self.availability = availability
    update = MultipathPathUpdate(
      availability: availability, isOnProbation: probation.isOn, association: association,
      controllerAssociation: controllerAssociation,
      quiesceNanoseconds: snapshot.communicationLoss.quiesceMilliseconds.map { $0 * 1_000_000 },
      commandRetryDelayTimes: snapshot.identification?.commandRetryDelayTimes ?? [])
    return events
  }

  // MARK: Probes

  /// See ``PathProbation/commandsUnanswered(_:nowNanoseconds:)``.
  mutating func commandsUnanswered(_ queue: UInt16, nowNanoseconds now: UInt64) {
    probation.commandsUnanswered(queue, nowNanoseconds: now)
  }

  /// A path on probation that can be used has one probe, which waits for its time or is under way.
  ///
  /// - Parameters:
  ///   - begin: tells the namespace to read from when the time of the probe with this number has come; nil: not now.
  ///   - ended: whether the probe with this number was answered.
  mutating func arrangeProbe(
    begin: @escaping @Sendable (_ number: UInt64) -> NVMeBlockDevice?,
    ended: @escaping @Sendable (_ number: UInt64, _ isAnswered: Bool, _ nowNanoseconds: UInt64) -> Void
  ) {
    let number = probation.number
    if let probe, probe.number != number {
      probe.cancel()
      self.probe = nil
    }
    guard probe == nil, availability.isUsable, let dueNanoseconds = probation.dueNanoseconds else { return }
    // Where the command went unanswered, as far as the controller still has that queue.
    let queues = controller.ioQueues.prefix(controller.snapshot.queueCount)
    guard let queue = queues.first(where: { $0.identifier == probation.queueIdentifier }) ?? queues.first else {
      return
    }
    probe = PathProbe(
      number: number, queue: queue, dueNanoseconds: dueNanoseconds, begin: { begin(number) },
      ended: { isAnswered, now in ended(number, isAnswered, now) })
  }

  /// - Returns: whether it was the latest probe: what becomes of another one counts for nothing.
  mutating func probeEnded(_ number: UInt64, isAnswered: Bool, nowNanoseconds now: UInt64) -> Bool {
    guard probe?.number == number else { return false }
    probe = nil
    probation.probeEnded(number, isAnswered: isAnswered, nowNanoseconds: now)
    return true
  }
}
