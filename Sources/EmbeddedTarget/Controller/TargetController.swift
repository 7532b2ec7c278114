internal import NVMeProtocol

/// A controller of the target: made by Connect on an admin queue, gone with that queue's connection.
final class TargetController {
  let identifier: UInt16
  /// Nil for a discovery controller.
  let subsystem: TargetSubsystem?
  let port: TargetPort
  let hostNQN: String
  let hostIdentifier: [UInt8]
  let configuration: TargetConfiguration
  unowned(unsafe) let core: TargetCore
  /// By queue identifier; 0 is the admin queue. Cleared when connections go.
  var queues: [UInt16: TargetConnection] = [:]
  let statistics: UnsafeMutablePointer<TargetStatistics>

  // Properties.
  private(set) var configurationRegister: UInt32 = 0
  private(set) var statusRegister: UInt32 = 0

  // Keep alive.
  /// KATO; 0: off.
  private(set) var keepAliveMilliseconds: UInt32

  // Asynchronous events.
  private(set) var eventConfiguration: UInt32 = 0
  /// Slots of the admin queue with event requests, the oldest first.
  private var eventSlots: [Int] = []
  private var pendingEvents: [Event] = []
  /// Sent, and masked until their log page has been read.
  private var maskedEvents: Set<Event> = []

  // Logs.
  private(set) var changedNamespaces: Set<UInt32> = []
  private(set) var errors: [TargetErrorRecord] = []
  private(set) var errorCount: UInt64 = 0

  // Features.
  var features: [UInt8: UInt32] = [0x01: 0, 0x02: 0, 0x04: 0x157, 0x05: 0, 0x06: 1, 0x0A: 0, 0x80: 0]
  var hostBehavior = [UInt8](repeating: 0, count: 512)
  /// Granted by Number of Queues.
  var grantedIOQueues: Int

  /// Notices (NVMe Base 2.1, section 5.1.2, asynchronous event type 2h).
  enum Event: UInt8, Hashable {
    case namespaceAttributeChanged = 0x00
    case accessStateChanged = 0x03
    case discoveryLogChanged = 0xF0

    var logPage: LogPageIdentifier {
      switch self {
      case .namespaceAttributeChanged: .changedNamespaceList
      case .accessStateChanged: .asymmetricNamespaceAccess
      case .discoveryLogChanged: .discovery
      }
    }

    /// The bit of OAES and of the Asynchronous Event Configuration feature.
    var configurationBit: UInt32 {
      switch self {
      case .namespaceAttributeChanged: 1 << 8
      case .accessStateChanged: 1 << 11
      case .discoveryLogChanged: 1 << 31
      }
    }

    /// Dword 0 of the completion.
    var result: UInt32 { 2 | UInt32(rawValue) << 8 | UInt32(logPage.rawValue) << 16 }
  }

  init(
    identifier: UInt16, subsystem: TargetSubsystem?, port: TargetPort, hostNQN: String, hostIdentifier: [UInt8],
    keepAliveMilliseconds: UInt32, core: TargetCore
  ) {
    self.identifier = identifier
    self.subsystem = subsystem
    self.port = port
    self.hostNQN = hostNQN
    self.hostIdentifier = hostIdentifier
    self.core = core
    configuration = core.configuration
    self.keepAliveMilliseconds = core.configuration.keepAlive(milliseconds: keepAliveMilliseconds)
    grantedIOQueues = core.maximumIOQueues
    statistics = .allocate(capacity: 1)
    statistics.initialize(to: TargetStatistics())
  }

  deinit { statistics.deallocate() }

  var isDiscovery: Bool { subsystem == nil }
  var isReady: Bool { statusRegister & 1 != 0 }
  var admin: TargetConnection? { queues[0] }

  // MARK: Properties (NVMe Base 2.1, section 3.1.4)

  /// CAP: MQES, CQR, TO 7.5 s, NVM command set and "one or more I/O command sets".
  var capabilities: UInt64 {
    UInt64(configuration.maximumQueueEntries - 1) | 1 << 16 | 15 << 24 | 1 << 37 | 1 << 43
  }

  /// VS: 2.1.
  static let version: UInt32 = 0x0002_0100

  func property(offset: UInt32, isEightBytes: Bool) -> UInt64? {
    switch (offset, isEightBytes) {
    case (0x00, true): capabilities
    case (0x08, false): UInt64(Self.version)
    case (0x14, false): UInt64(configurationRegister)
    case (0x1C, false): UInt64(statusRegister)
    case (0x20, false): 0
    // CRTO: as CAP.TO, both ways.
    case (0x68, false): 15 | 15 << 16
    default: nil
    }
  }

  /// Property Set. Only CC and NSSR can be written; NSSR is not supported and stays without effect.
  func setProperty(offset: UInt32, isEightBytes: Bool, value: UInt64) -> Bool {
    guard !isEightBytes else { return false }
    switch offset {
    case 0x14: setConfiguration(UInt32(truncatingIfNeeded: value))
    case 0x20: break
    default: return false
    }
    return true
  }

  private func setConfiguration(_ new: UInt32) {
    let old = configurationRegister
    configurationRegister = new
    let isEnabled = new & 1 != 0
    if isEnabled && old & 1 == 0 {
      let entrySizes = new >> 16 & 0xFF
      let commandSet = new >> 4 & 0b111
      let pageSize = new >> 7 & 0xF
      // A discovery controller has no I/O queues whose entry sizes would matter.
      let isSound =
        pageSize == 0 && (isDiscovery || (entrySizes == 0x46 && (commandSet == 0 || commandSet == 6)))
      // CSTS.CFS for what this controller cannot do; CSTS.RDY at once for what it can.
      statusRegister = isSound ? 1 : 2
    } else if !isEnabled && old & 1 != 0 {
      reset()
    }
    let shutdown = new >> 14 & 0b11
    if shutdown != 0 && old >> 14 & 0b11 != shutdown {
      // CSTS.SHST 10b: shutdown complete; nothing here needs time for it.
      statusRegister = statusRegister & ~0b1100 | 0b1000
    }
  }

  /// CC.EN cleared: I/O queues go, the admin queue stays (NVMe Base 2.1, section 3.7.2).
  private func reset() {
    statusRegister = 0
    eventConfiguration = 0
    pendingEvents = []
    maskedEvents = []
    changedNamespaces = []
    for (identifier, connection) in queues where identifier != 0 { connection.close() }
  }

  /// The host is gone, or has not been heard of: the controller's end.
  func fail() {
    statusRegister |= 2
    for connection in queues.values { connection.close() }
  }

  func setKeepAlive(milliseconds: UInt32) {
    keepAliveMilliseconds = configuration.keepAlive(milliseconds: milliseconds)
  }

  // MARK: Asynchronous events

  /// Takes an event request. False when there are too many already.
  func addEventRequest(slot: Int) -> Bool {
    guard eventSlots.count < configuration.maximumAsynchronousEventRequests else { return false }
    eventSlots.append(slot)
    deliverEvents()
    return true
  }

  /// Forgets an event request that is being aborted.
  func removeEventRequest(slot: Int) { eventSlots.removeAll { $0 == slot } }

  func setEventConfiguration(_ bits: UInt32) { eventConfiguration = bits }

  /// The notices this controller can give: OAES.
  var supportedEvents: UInt32 {
    isDiscovery
      ? Event.discoveryLogChanged.configurationBit
      : Event.namespaceAttributeChanged.configurationBit | Event.accessStateChanged.configurationBit
  }

  func notify(_ event: Event) {
    guard eventConfiguration & event.configurationBit != 0, !maskedEvents.contains(event),
      !pendingEvents.contains(event)
    else { return }
    pendingEvents.append(event)
    deliverEvents()
  }

  private func deliverEvents() {
    guard let admin else { return }
    while !eventSlots.isEmpty && !pendingEvents.isEmpty {
      let event = pendingEvents.removeFirst()
      maskedEvents.insert(event)
      admin.answer(eventSlots.removeFirst(), dword0: event.result)
    }
  }

  /// A log page has been read without Retain Asynchronous Event.
  func logPageRead(_ page: LogPageIdentifier) {
    for event in maskedEvents where event.logPage == page { maskedEvents.remove(event) }
    if page == .changedNamespaceList { changedNamespaces = [] }
  }

  func namespaceChanged(_ identifier: UInt32) {
    changedNamespaces.insert(identifier)
    notify(.namespaceAttributeChanged)
  }

  // MARK: Errors

  func recordError(queueIdentifier: UInt16, command: SubmissionQueueEntry, status: StatusField) {
    errorCount += 1
    let isIO = queueIdentifier != 0
    errors.append(
      TargetErrorRecord(
        count: errorCount, queueIdentifier: queueIdentifier, commandIdentifier: command.commandIdentifier,
        status: status, startingLBA: isIO ? command.startingLBA : 0, namespaceIdentifier: command.namespaceIdentifier))
    if errors.count > Self.maximumErrors { errors.removeFirst() }
  }

  /// Entries of the Error Information log: ELPE + 1.
  static let maximumErrors = 64
}
