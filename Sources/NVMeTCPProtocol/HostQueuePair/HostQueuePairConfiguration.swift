/// What the host asks for when it makes a TCP queue pair.
public struct HostQueuePairConfiguration: Sendable {
  /// Commands in flight at once, 1...4095. The controller's queue has one entry more.
  public var depth: Int
  public var requestsHeaderDigest = false
  public var requestsDataDigest = false
  /// The alignment we ask the controller to give payload sent to us, in units of 4 bytes less one (HPDA, 0...31).
  public var hostPDUDataAlignment: UInt8 = 0
  /// Longest data a command may carry in its capsule, in bytes; from IOCCSZ for I/O queues, 8192 for the admin queue
  /// (NVMe/TCP Transport Specification 1.1, section 3.3).
  public var maximumInCapsuleByteCount: Int

  /// The ICReq that asks for this.
  var connectionRequest: ICRequest {
    var digests: PDUDigests = []
    if requestsHeaderDigest { digests.insert(.header) }
    if requestsDataDigest { digests.insert(.data) }
    return ICRequest(digests: digests, hostPDUDataAlignment: hostPDUDataAlignment, maximumReadyToTransfer: 0)
  }

  public init(depth: Int, maximumInCapsuleByteCount: Int) {
    self.depth = depth
    self.maximumInCapsuleByteCount = maximumInCapsuleByteCount
  }
}
