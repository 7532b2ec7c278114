/// FES: why a connection is terminated (NVMe/TCP Transport Specification, sections 3.6.2.4 and 3.6.2.5).
@frozen
public enum FatalErrorStatus: UInt16, Sendable, CaseIterable {
  /// FEI: byte offset of the lowest field in error, from the start of the PDU.
  case invalidPDUHeaderField = 0x01
  /// An unexpected PDU, or data in the wrong order. FEI: 0.
  case pduSequenceError = 0x02
  /// FEI: the header digest as received.
  case headerDigestError = 0x03
  /// Data outside what the command or the R2T spans. FEI: 0.
  case dataTransferOutOfRange = 0x04
  /// In an H2CTermReq: more R2Ts than MAXR2T allows ("R2T Limit Exceeded"). In a C2HTermReq: more data in one H2CData
  /// than MAXH2CDATA allows ("Data Transfer Limit Exceeded"). FEI: 0.
  case limitExceeded = 0x05
  /// FEI: byte offset of the field of ICReq or ICResp that asks for what the receiver does not support.
  case unsupportedParameter = 0x06

  /// The specification's name.
  ///
  /// - Parameter sender: who sent the termination request; code 5 has two names.
  public func name(sender: ConnectionRole) -> StaticString {
    switch self {
    case .invalidPDUHeaderField: "Invalid PDU Header Field"
    case .pduSequenceError: "PDU Sequence Error"
    case .headerDigestError: "Header Digest Error"
    case .dataTransferOutOfRange: "Data Transfer Out Of Range"
    case .limitExceeded: sender == .host ? "R2T Limit Exceeded" : "Data Transfer Limit Exceeded"
    case .unsupportedParameter: "Unsupported Parameter"
    }
  }
}
