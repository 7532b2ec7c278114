import NVMeTCPProtocol
import TestSupport

enum ICResponseVectors {
  /// What the host asked for before this answer.
  static let requested = ConnectionParameters(requested: ICRequest(digests: [.header, .data]))

  static let all = [
    GoldenPDU(
      name: "ICResp, header digest, CPDA 15, MAXH2CDATA 4 MiB", section: "3.6.2.3", parameters: requested,
      receiver: .host,
      bytes: hexadecimal("01008000 80000000 0000 0f 01 00004000") + [UInt8](repeating: 0, count: 112),
      encodeHeader: { _ in
        let response = ICResponse(digests: .header, controllerPDUDataAlignment: 15, maximumH2CDataLength: 4_194_304)
        return stored(ICResponse.byteCount, response.store(to:))
      },
      reencodeHeader: { stored(ICResponse.byteCount, ICResponse(loading: $0).store(to:)) })
  ]
}
