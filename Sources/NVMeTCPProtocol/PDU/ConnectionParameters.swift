/// What both ends of an NVMe/TCP connection agreed on with ICReq and ICResp.
@frozen
public struct ConnectionParameters: Sendable, Hashable {
  /// Whether every PDU but the initialization and termination ones has a header digest.
  ///
  /// Before ``initialized``: whether this host has asked for it.
  public var headerDigest: Bool
  /// Whether every PDU with data has a data digest.
  ///
  /// Before ``initialized``: whether this host has asked for it.
  public var dataDigest: Bool
  /// Whether ICReq and ICResp have been exchanged.
  public var initialized: Bool
  /// Alignment of data in PDUs that the host receives, in bytes: 4 to 128. From HPDA.
  public var hostPDUDataAlignmentBytes: Int
  /// Alignment of data in PDUs that the controller receives, in bytes: 4 to 128. From CPDA.
  public var controllerPDUDataAlignmentBytes: Int
  /// MAXH2CDATA: the most bytes of data in one H2CData PDU; at least 4096, a multiple of 4.
  public var maximumH2CDataLength: UInt32
  /// The most R2Ts a command may have outstanding, at least 1: MAXR2T + 1.
  public var maximumReadyToTransfer: UInt64
  /// The most bytes of in-capsule data in a CapsuleCmd that the controller accepts: 8192 on an admin queue,
  /// IOCCSZ × 16 - 64 on an I/O queue. Not negotiated on this level: its owner sets it.
  public var maximumInCapsuleDataLength: UInt32

  /// Before ICReq and ICResp: no digests, no padding, only initialization and termination PDUs are allowed.
  @inlinable
  public init() {
    headerDigest = false
    dataDigest = false
    initialized = false
    hostPDUDataAlignmentBytes = 4
    controllerPDUDataAlignmentBytes = 4
    maximumH2CDataLength = 4096
    maximumReadyToTransfer = 1
    maximumInCapsuleDataLength = 8192
  }

  /// On a host between ICReq and ICResp: what it asked for, against which the answer is checked.
  @inlinable
  public init(requested request: ICRequest) {
    self.init()
    headerDigest = request.digests.contains(.header)
    dataDigest = request.digests.contains(.data)
    hostPDUDataAlignmentBytes = request.hostPDUDataAlignmentBytes
    maximumReadyToTransfer = request.maximumReadyToTransferCount
  }

  /// After ICReq and ICResp. Both must have passed ``PDUValidation``.
  @inlinable
  public init(request: ICRequest, response: ICResponse) {
    headerDigest = response.digests.contains(.header)
    dataDigest = response.digests.contains(.data)
    initialized = true
    hostPDUDataAlignmentBytes = request.hostPDUDataAlignmentBytes
    controllerPDUDataAlignmentBytes = response.controllerPDUDataAlignmentBytes
    maximumH2CDataLength = response.maximumH2CDataLength
    maximumReadyToTransfer = request.maximumReadyToTransferCount
    maximumInCapsuleDataLength = 8192
  }
}
