import NVMeTCPProtocol
import TestSupport

enum TerminationRequestVectors {
  /// The header of an R2T with HLEN 20, the offending PDU.
  static let offendingHeader = hexadecimal("09001400180000003412cdab003000000000020000000000")

  static let all = [
    GoldenPDU(
      name: "H2CTermReq: invalid PDU header field, HLEN of an R2T", section: "3.6.2.4",
      parameters: GoldenPDU.parameters(headerDigest: true, dataDigest: true), receiver: .controller,
      bytes: hexadecimal("02001800 30000000 0100 02000000 00000000000000000000") + offendingHeader,
      data: offendingHeader,
      encodeHeader: { _ in encode(sender: .host, .invalidPDUHeaderField, information: 2) },
      reencodeHeader: { stored(24, TerminationRequest(loading: $0).store(to:)) }),
    GoldenPDU(
      name: "C2HTermReq: header digest error", section: "3.6.2.5",
      parameters: GoldenPDU.parameters(headerDigest: true), receiver: .host,
      bytes: hexadecimal("03001800 30000000 0300 efbeadde 00000000000000000000") + offendingHeader,
      data: offendingHeader,
      encodeHeader: { _ in encode(sender: .controller, .headerDigestError, information: 0xDEAD_BEEF) },
      reencodeHeader: { stored(24, TerminationRequest(loading: $0).store(to:)) }),
  ]

  private static func encode(sender: ConnectionRole, _ status: FatalErrorStatus, information: UInt32) -> [UInt8] {
    let request = TerminationRequest(
      sender: sender, fatalErrorStatus: status, fatalErrorInformation: information,
      offendingHeaderByteCount: offendingHeader.count)
    return stored(TerminationRequest.headerByteCount, request.store(to:))
  }
}
