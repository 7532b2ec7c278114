/// Where the parts of a PDU lie: header, header digest, padding, data, data digest
/// (NVMe/TCP Transport Specification, section 2, and for the padding the HPDA and CPDA fields in 3.6.2.2 and 3.6.2.3).
@frozen
public struct PDULayout: Sendable, Hashable {
  /// HLEN.
  public var headerByteCount: Int
  /// 4 or 0.
  public var headerDigestByteCount: Int
  /// Zero bytes between the header with its digest and the data.
  public var paddingByteCount: Int
  /// Bytes of data.
  public var dataByteCount: Int
  /// 4 or 0.
  public var dataDigestByteCount: Int

  /// Bytes of a digest: a CRC32C.
  @inlinable
  public static var digestByteCount: Int { 4 }

  /// The largest alignment that HPDA and CPDA can ask for, in bytes.
  @inlinable
  public static var maximumAlignmentByteCount: Int { 128 }

  /// The most bytes that precede the data of a PDU this side builds: a 76-byte header (CapsuleCmd with its digest)
  /// aligned to 72 bytes. (A receiver accepts any PDO that is a multiple of the alignment, up to 255.)
  @inlinable
  public static var maximumDataOffset: Int { 144 }

  /// - Parameter dataLength: 0 means no padding and no data digest.
  @inlinable
  public init(type: PDUType, dataLength: Int, parameters: ConnectionParameters) {
    headerByteCount = type.headerByteCount
    headerDigestByteCount = 0
    paddingByteCount = 0
    dataByteCount = dataLength
    dataDigestByteCount = 0
    switch type {
    case .initializeConnectionRequest, .initializeConnectionResponse, .hostToControllerTerminationRequest,
      .controllerToHostTerminationRequest:
      break
    case .capsuleResponse, .readyToTransfer:
      if parameters.headerDigest { headerDigestByteCount = Self.digestByteCount }
    case .capsuleCommand, .hostToControllerData, .controllerToHostData:
      if parameters.headerDigest { headerDigestByteCount = Self.digestByteCount }
      if dataLength > 0 {
        let alignment =
          type.receiver == .host ? parameters.hostPDUDataAlignmentBytes : parameters.controllerPDUDataAlignmentBytes
        paddingByteCount = Self.padding(headerByteCount: headerByteCount + headerDigestByteCount, alignment: alignment)
        if parameters.dataDigest { dataDigestByteCount = Self.digestByteCount }
      }
    }
  }

  /// The bytes from a header (with its digest) of `headerByteCount` bytes to the next multiple of `alignment`.
  ///
  /// - Parameter alignment: 4 to 128, a multiple of 4. Values below 1 count as 1.
  @inlinable
  public static func padding(headerByteCount: Int, alignment: Int) -> Int {
    guard alignment > 1 else { return 0 }
    let rest = headerByteCount % alignment
    return rest == 0 ? 0 : alignment - rest
  }

  /// Bytes from the start of the PDU to the data: PDO of a PDU with data.
  @inlinable
  public var dataOffset: Int { headerByteCount + headerDigestByteCount + paddingByteCount }

  /// Bytes of the whole PDU: PLEN.
  @inlinable
  public var byteCount: Int { dataOffset + dataByteCount + dataDigestByteCount }
}
