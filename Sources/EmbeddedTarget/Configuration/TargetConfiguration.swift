/// Limits and manners of an ``EmbeddedTarget``, fixed when it is made.
public struct TargetConfiguration: Sendable {
  /// Controllers at once, all subsystems together; a Connect beyond is refused as busy.
  public var maximumControllers = 256
  /// Connections at once. One beyond takes the place of the oldest that has had no Connect yet; without such a one it is
  /// closed as soon as it is accepted.
  public var maximumConnections = 4096
  /// I/O queues of one controller, 1...1024.
  public var maximumIOQueues = 64
  /// Entries of a queue: MQES + 1, 2...4096.
  public var maximumQueueEntries = 1024
  /// Bytes of in-capsule data on an I/O queue, a multiple of 16: IOCCSZ × 16 - 64. 0 sends all data by R2T.
  public var inCapsuleDataByteCount = 8192
  /// MDTS as a power of two of 4096 bytes: 8 is 1 MiB. 0 means no limit, which here is 16 MiB.
  public var maximumDataTransferExponent: UInt8 = 8
  /// WZSL as a power of two of 4096 bytes: the longest Write Zeroes; 0 means no limit.
  public var writeZeroesSizeExponent: UInt8 = 0
  /// DMRSL: the most blocks of one range of Dataset Management; 0 means no limit.
  public var maximumDatasetManagementRangeBlockCount: UInt32 = 0
  /// MAXH2CDATA in bytes: at least 4096, a multiple of 4.
  public var maximumH2CDataByteCount: UInt32 = 1 << 20
  /// The most bytes one R2T asks for, a multiple of 4; `.max` asks for a command's data at once.
  public var maximumReadyToTransferByteCount: UInt32 = .max
  /// The most bytes of one C2HData PDU, a multiple of 4; `.max` sends a command's data at once.
  public var maximumC2HDataByteCount: UInt32 = .max
  /// CPDA in bytes: 4...128, a multiple of 4.
  public var controllerPDUDataAlignmentBytes = 4
  /// Whether hosts that ask for digests get them.
  public var allowsHeaderDigest = true
  public var allowsDataDigest = true
  /// Whether SUCCESS stands in for response capsules where the host has switched flow control off.
  public var usesSuccessFlag = true
  /// Outstanding asynchronous event requests of a controller, 1...16: AERL + 1.
  public var maximumAsynchronousEventRequests = 4
  /// How long a new connection may take up to its Connect command.
  public var handshakeTimeoutMilliseconds: UInt32 = 10_000
  /// How long a host may take to close the connection after a termination request was sent to it.
  public var terminationTimeoutMilliseconds: UInt32 = 1000
  /// Traffic of any kind counts as keep alive (CTRATT.TBKAS).
  public var hasTrafficBasedKeepAlive = true
  /// The granularity of the Keep Alive Timer: what hosts ask for is rounded up to a multiple of it. 100...6,553,500, a
  /// multiple of 100, as KAS counts it.
  public var keepAliveGranularityMilliseconds: UInt32 = 100
  /// The highest namespace identifier, 1...65535: NN and MNAN.
  public var maximumNamespaceIdentifier: UInt32 = 1024

  /// A name of the discovery subsystem's own, 1...223 bytes; nil: it only has the well-known one.
  public var discoveryNQN: String?

  public init() {}

  /// What is wrong with it, or nil.
  var problem: String? {
    func isOutside<Value: Comparable>(_ value: Value, _ range: ClosedRange<Value>) -> Bool { !range.contains(value) }
    if isOutside(maximumIOQueues, 1...1024) { return "maximumIOQueues is 1...1024, not \(maximumIOQueues)" }
    if isOutside(maximumQueueEntries, 2...4096) { return "maximumQueueEntries is 2...4096, not \(maximumQueueEntries)" }
    if isOutside(inCapsuleDataByteCount, 0...1_048_576) || inCapsuleDataByteCount % 16 != 0 {
      return "inCapsuleDataByteCount is a multiple of 16 up to 1 MiB, not \(inCapsuleDataByteCount)"
    }
    if maximumDataTransferExponent > 12 {
      return "maximumDataTransferExponent is 0...12, not \(maximumDataTransferExponent)"
    }
    if writeZeroesSizeExponent > 31 { return "writeZeroesSizeExponent is 0...31, not \(writeZeroesSizeExponent)" }
    if maximumH2CDataByteCount < 4096 || maximumH2CDataByteCount % 4 != 0 {
      return "maximumH2CDataByteCount is a multiple of 4, at least 4096, not \(maximumH2CDataByteCount)"
    }
    if maximumReadyToTransferByteCount < 4 || maximumC2HDataByteCount < 4 {
      return "maximumReadyToTransferByteCount and maximumC2HDataByteCount are at least 4"
    }
    if isOutside(controllerPDUDataAlignmentBytes, 4...128) || controllerPDUDataAlignmentBytes % 4 != 0 {
      return "controllerPDUDataAlignmentBytes is a multiple of 4 up to 128, not \(controllerPDUDataAlignmentBytes)"
    }
    if isOutside(maximumAsynchronousEventRequests, 1...16) {
      return "maximumAsynchronousEventRequests is 1...16, not \(maximumAsynchronousEventRequests)"
    }
    if isOutside(keepAliveGranularityMilliseconds, 100...6_553_500) || keepAliveGranularityMilliseconds % 100 != 0 {
      return
        "keepAliveGranularityMilliseconds is a multiple of 100 up to 6553500, not \(keepAliveGranularityMilliseconds)"
    }
    if isOutside(maximumNamespaceIdentifier, 1...65535) {
      return "maximumNamespaceIdentifier is 1...65535, not \(maximumNamespaceIdentifier)"
    }
    if let discoveryNQN, isOutside(discoveryNQN.utf8.count, 1...223) {
      return "discoveryNQN has 1...223 bytes, not \(discoveryNQN.utf8.count)"
    }
    return nil
  }

  /// The Keep Alive Timer that a host gets which asks for `milliseconds`; 0: none.
  func keepAlive(milliseconds: UInt32) -> UInt32 {
    let granularity = UInt64(keepAliveGranularityMilliseconds)
    return UInt32(clamping: (UInt64(milliseconds) + granularity - 1) / granularity * granularity)
  }

  /// The most bytes of data a command moves.
  var maximumTransferByteCount: Int { 4096 << Int(maximumDataTransferExponent == 0 ? 12 : maximumDataTransferExponent) }
}

extension TargetConfiguration {
  /// What of it concerns the wire.
  var queuePair: TargetQueuePairConfiguration {
    var queuePair = TargetQueuePairConfiguration()
    queuePair.maximumH2CDataLength = maximumH2CDataByteCount
    queuePair.controllerPDUDataAlignmentBytes = controllerPDUDataAlignmentBytes
    queuePair.allowsHeaderDigest = allowsHeaderDigest
    queuePair.allowsDataDigest = allowsDataDigest
    queuePair.maximumReadyToTransferLength = maximumReadyToTransferByteCount
    queuePair.maximumC2HDataLength = maximumC2HDataByteCount
    queuePair.usesSuccessFlag = usesSuccessFlag
    return queuePair
  }
}
