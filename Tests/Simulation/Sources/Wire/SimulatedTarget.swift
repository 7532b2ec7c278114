internal import BlockDevice
internal import EmbeddedTarget

/// A port of the simulated subsystem: makes controllers for hosts that connect, until it restarts.
final class SimulatedTarget {
  let timeline: Timeline
  let bug: PlantedWireBug?
  let store: SimulatedStore
  let keepAliveMilliseconds: UInt32
  /// CQT; 0 = not reported.
  let quiesceMilliseconds: UInt16
  let hasTrafficBasedKeepAlive: Bool
  /// KAS: what hosts ask for as keep alive time-out is rounded up to a multiple of this.
  let keepAliveGranularityMilliseconds: UInt32
  /// Confirms a shutdown whatever it has under way, as Linux nvmet does.
  let confirmsShutdownAtOnce: Bool
  let queueEntries: Int
  let queuePairConfiguration: TargetQueuePairConfiguration
  /// Bytes of data an I/O command's capsule may hold.
  var inCapsuleByteCount: Int
  /// MDTS, an exponent.
  var transferExponent: UInt8
  /// What a read or write takes where nothing is wrong.
  let usualMicroseconds: Int
  var faults = TargetFaults()
  var connections: [SimulatedConnection] = []
  private var controllers: [SimulatedController] = []
  private var nextControllerIdentifier: UInt16
  static let coarsestKeepAliveMilliseconds: UInt32 = 4000
  private(set) var anaChangeCount: UInt64 = 1
  var report = SimulationReport()

  init(timeline: Timeline, bug: PlantedWireBug?, store: SimulatedStore, place: Int, keepAliveMilliseconds: UInt32) {
    self.timeline = timeline
    self.bug = bug
    self.store = store
    self.keepAliveMilliseconds = keepAliveMilliseconds
    quiesceMilliseconds = timeline.chance(0.4) ? 0 : UInt16(timeline.number(1...2500))
    hasTrafficBasedKeepAlive = timeline.chance(0.4)
    confirmsShutdownAtOnce = timeline.chance(0.5)
    keepAliveGranularityMilliseconds = timeline.pick([100, 100, 1000, Self.coarsestKeepAliveMilliseconds])
    queueEntries = timeline.pick([3, 5, 9, 33])
    var configuration = TargetQueuePairConfiguration()
    configuration.maximumH2CDataLength = UInt32(timeline.pick([4096, 4096, 8192, 131_072]))
    configuration.maximumReadyToTransferLength = UInt32(timeline.pick([512, 4096, 6000, 1 << 20]))
    configuration.maximumC2HDataLength = UInt32(timeline.pick([512, 5000, 1 << 20, 1 << 20]))
    configuration.controllerPDUDataAlignmentBytes = timeline.pick([4, 4, 16, 128])
    configuration.usesSuccessFlag = timeline.chance(0.5)
    queuePairConfiguration = configuration
    inCapsuleByteCount = timeline.pick([0, 512, 4096, 8192])
    usualMicroseconds = timeline.pick([400, 400, 4000, 30_000])
    transferExponent = timeline.pick([0, 0, 1, 2])
    nextControllerIdentifier = UInt16(place * 1000 + 1)
  }

  // MARK: Controllers

  func makeController(hostKeepAliveMilliseconds: UInt32) -> SimulatedController {
    let controller = SimulatedController(
      identifier: nextControllerIdentifier, target: self,
      keepAliveMilliseconds: Self.rounded(hostKeepAliveMilliseconds, to: keepAliveGranularityMilliseconds))
    nextControllerIdentifier += 1
    controllers.removeAll { $0.isOver }
    controllers.append(controller)
    return controller
  }

  static func rounded(_ milliseconds: UInt32, to granularity: UInt32) -> UInt32 {
    (milliseconds + granularity - 1) / granularity * granularity
  }

  func controller(_ identifier: UInt16) -> SimulatedController? {
    controllers.first { $0.identifier == identifier && $0.isAlive }
  }

  // MARK: Faults

  /// It loses its memory of all hosts, and says nothing; what it had begun it may still finish within its time.
  func restart() {
    for controller in controllers where controller.isAlive { controller.vanish() }
    for connection in connections { connection.forgetController() }
  }

  func setANAState(_ state: ANAState) {
    guard state != faults.anaState else { return }
    faults.anaState = state
    anaChangeCount += 1
    for controller in controllers where controller.isAlive { controller.notify(.anaChange) }
  }

  func setNamespace(isThere: Bool) {
    guard isThere != faults.hasNamespace else { return }
    faults.hasNamespace = isThere
    for controller in controllers where controller.isAlive { controller.notify(.namespaceAttributeChanged) }
  }

  /// The world ends: what refers to one another is let go of.
  func end() {
    controllers.removeAll()
    connections.removeAll()
  }

  func endPartition() {
    faults.isPartitioned = false
    for connection in connections { connection.resume() }
  }
}
