public import NVMeProtocol

/// What a host wants of one association with a controller. Numbers outside of their ranges are taken for the nearest in
/// them.
public struct ControllerConfiguration: Sendable, Hashable {
  /// The subsystem's NQN, 1 to 223 bytes without blanks and control characters.
  public var subsystemNQN: String
  /// Our NQN, of which the same is true.
  public var hostNQN: String
  public var hostIdentifier: Identifier128
  /// A discovery controller has no namespaces and no I/O queues.
  public var isDiscovery = false
  /// I/O queues wished for, 1...65535; the controller may grant fewer.
  public var queueCount = 1
  /// Commands outstanding at once on an I/O queue, 1...4095; the controller may have smaller queues.
  public var queueDepth = 128
  /// Keep alive timeout in milliseconds; 0 = none. A keep alive is sent each half of it, unless there is traffic and the
  /// controller goes by that (TBKAS); one that has not been answered within it is a lost controller (NVMe Base 2.1,
  /// section 3.9).
  public var keepAliveTimeoutMilliseconds: UInt32 = 10_000
  /// How long one transport connection may take to be made, in milliseconds.
  public var connectTimeoutMilliseconds: UInt32 = 10_000
  /// How long Fabrics Connect may take on a connection that has been made, in milliseconds; nil: as long as that.
  public var fabricsConnectTimeoutMilliseconds: UInt32?
  /// When a lost controller is connected again, and when it is given up.
  public var recovery = RecoveryTimers.never
  /// Whether a first connect that fails is tried again like any later one.
  public var retriesFirstConnect = false
  /// How long an admin command may take, in milliseconds; 0 = for ever.
  public var adminTimeoutMilliseconds: UInt32 = 60_000
  /// How long an I/O command may take before ``timeoutAction`` is taken, in milliseconds; 0 = for ever.
  public var ioTimeoutMilliseconds: UInt32 = 30_000
  /// What is done about admin and I/O commands that take longer.
  public var timeoutAction = CommandTimeoutAction.reset
  /// How long an orderly shutdown may take, in milliseconds; the connections are closed then in any case.
  public var shutdownTimeoutMilliseconds: UInt32 = 10_000
  /// Largest transfer of one I/O command in bytes, 4096...2^30, where the controller allows more or names no limit
  /// (MDTS 0): larger requests are split. Linux nvmet names no limit, yet refuses what it has no memory for.
  public var maximumTransferByteCount = 1 << 20
  /// The controller to connect to (static controller model); FFFFh = any.
  public var controllerIdentifier: UInt16 = 0xFFFF
  /// Do without submission queue head pointers (NVMe Base 2.1, section 6.3, CATTR bit 2), on all queues: the controller may
  /// then leave successful reads' response capsules out. Without it SPDK's sends all reads' data before the first response.
  public var disablesSubmissionQueueFlowControl = true

  /// Commands outstanding at once on the admin queue.
  public static let adminQueueDepth = 31

  public init(subsystemNQN: String, hostNQN: String, hostIdentifier: Identifier128) {
    self.subsystemNQN = subsystemNQN
    self.hostNQN = hostNQN
    self.hostIdentifier = hostIdentifier
  }

  /// Why it cannot be connected with; nil when nothing is wrong with it. Names that are too long, or end early by a zero
  /// byte, would be other names on the wire.
  var problem: String? {
    if let problem = NVMeQualifiedName.problem(with: subsystemNQN) {
      return "the subsystem NQN is not valid: \(problem)"
    }
    return NVMeQualifiedName.problem(with: hostNQN).map { "the host NQN is not valid: \($0)" }
  }

  /// ``queueCount`` within its range: QIDs have 16 bits, of which 0 is the admin queue's.
  var boundedQueueCount: Int { min(max(queueCount, 1), 65_535) }
}
