/// A field of a PDU header, for reports on what was wrong with it.
@frozen
public enum PDUField: UInt8, Sendable, CaseIterable {
  case type
  case flags
  case headerLength
  case dataOffset
  case length
  case pduFormatVersion
  case hostPDUDataAlignment
  case controllerPDUDataAlignment
  case digests
  case maximumReadyToTransfer
  case maximumH2CDataLength
  case commandIdentifier
  case transferTag
  case transferOffset
  case transferLength
  case readyToTransferOffset
  case readyToTransferLength
  case headerDigest
  case dataDigest
  /// The submission or completion queue entry of a capsule.
  case queueEntry

  /// Bytes from the start of the PDU: FEI of ``FatalErrorStatus/invalidPDUHeaderField``. Digests follow the header or
  /// the data and have none: 0.
  public var byteOffset: UInt32 {
    switch self {
    case .type, .headerDigest, .dataDigest: 0
    case .flags: 1
    case .headerLength: 2
    case .dataOffset: 3
    case .length: 4
    case .pduFormatVersion, .commandIdentifier, .queueEntry: 8
    case .hostPDUDataAlignment, .controllerPDUDataAlignment, .transferTag: 10
    case .digests: 11
    case .maximumReadyToTransfer, .maximumH2CDataLength, .transferOffset, .readyToTransferOffset: 12
    case .transferLength, .readyToTransferLength: 16
    }
  }

  /// The abbreviation the specification uses, such as "PDO".
  public var abbreviation: StaticString {
    switch self {
    case .type: "PDU-Type"
    case .flags: "FLAGS"
    case .headerLength: "HLEN"
    case .dataOffset: "PDO"
    case .length: "PLEN"
    case .pduFormatVersion: "PFV"
    case .hostPDUDataAlignment: "HPDA"
    case .controllerPDUDataAlignment: "CPDA"
    case .digests: "DGST"
    case .maximumReadyToTransfer: "MAXR2T"
    case .maximumH2CDataLength: "MAXH2CDATA"
    case .commandIdentifier: "CCCID"
    case .transferTag: "TTAG"
    case .transferOffset: "DATAO"
    case .transferLength: "DATAL"
    case .readyToTransferOffset: "R2TO"
    case .readyToTransferLength: "R2TL"
    case .headerDigest: "HDGST"
    case .dataDigest: "DDGST"
    case .queueEntry: "queue entry"
    }
  }
}
