/// How the controller's side of a connection behaves on the wire.
package struct TargetQueuePairConfiguration: Sendable {
  /// MAXH2CDATA in bytes: at least 4096, a multiple of 4.
  package var maximumH2CDataLength: UInt32 = 131_072
  /// CPDA in bytes: 4 to 128, a multiple of 4.
  package var controllerPDUDataAlignmentBytes = 4
  /// Digests the target is willing to have.
  package var allowsHeaderDigest = true
  package var allowsDataDigest = true
  /// The most bytes one R2T asks for.
  package var maximumReadyToTransferLength: UInt32 = .max
  /// The most bytes of one C2HData PDU.
  package var maximumC2HDataLength: UInt32 = .max
  /// Whether SUCCESS may stand in for the response capsule where submission queue flow control is off.
  package var usesSuccessFlag = true

  package init() {}
}
