import NVMeTCPProtocol
import TestSupport

enum C2HDataVectors {
  static let all = [
    GoldenPDU(
      name: "C2HData, last, success", section: "3.6.2.9", parameters: GoldenPDU.parameters(), receiver: .host,
      bytes: hexadecimal("070c1818 28000000 3412 0000 00200000 10000000 00000000") + GoldenPDU.data,
      data: GoldenPDU.data, encodeHeader: { encode(isLast: true, isSuccess: true, $0) }, reencodeHeader: reencode),
    GoldenPDU(
      name: "C2HData, digests, 32-byte alignment", section: "3.6.2.9",
      parameters: GoldenPDU.parameters(headerDigest: true, dataDigest: true, hostAlignment: 32), receiver: .host,
      bytes: hexadecimal("07031820 34000000 3412 0000 00200000 10000000 00000000 b07a3294 00000000")
        + GoldenPDU.data + hexadecimal("7f04b384"),
      data: GoldenPDU.data,
      // Success without last is not built, whatever is asked for.
      encodeHeader: { encode(isLast: false, isSuccess: true, $0) }, reencodeHeader: reencode),
  ]

  private static func encode(isLast: Bool, isSuccess: Bool, _ parameters: ConnectionParameters) -> [UInt8] {
    let header = C2HDataHeader(
      commandIdentifier: 0x1234, dataOffset: 0x2000, dataLength: 16, isLast: isLast, isSuccess: isSuccess,
      parameters: parameters)
    return stored(C2HDataHeader.byteCount, header.store(to:))
  }

  private static func reencode(_ source: UnsafeRawPointer) -> [UInt8] {
    stored(C2HDataHeader.byteCount, C2HDataHeader(loading: source).store(to:))
  }
}
