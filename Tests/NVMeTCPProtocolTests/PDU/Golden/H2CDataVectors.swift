import NVMeTCPProtocol
import TestSupport

enum H2CDataVectors {
  static let all = [
    GoldenPDU(
      name: "H2CData, last", section: "3.6.2.8", parameters: GoldenPDU.parameters(), receiver: .controller,
      bytes: hexadecimal("06041818 28000000 3412 cdab 00100000 10000000 00000000") + GoldenPDU.data,
      data: GoldenPDU.data, encodeHeader: encode, reencodeHeader: reencode),
    GoldenPDU(
      name: "H2CData, last, digests, 64-byte alignment", section: "3.6.2.8",
      parameters: GoldenPDU.parameters(headerDigest: true, dataDigest: true, controllerAlignment: 64),
      receiver: .controller,
      bytes: hexadecimal("06071840 54000000 3412 cdab 00100000 10000000 00000000 977eea5a")
        + [UInt8](repeating: 0, count: 36) + GoldenPDU.data + hexadecimal("7f04b384"),
      data: GoldenPDU.data, encodeHeader: encode, reencodeHeader: reencode),
  ]

  private static func encode(_ parameters: ConnectionParameters) -> [UInt8] {
    let header = H2CDataHeader(
      commandIdentifier: 0x1234, transferTag: 0xABCD, dataOffset: 0x1000, dataLength: 16, isLast: true,
      parameters: parameters)
    return stored(H2CDataHeader.byteCount, header.store(to:))
  }

  private static func reencode(_ source: UnsafeRawPointer) -> [UInt8] {
    stored(H2CDataHeader.byteCount, H2CDataHeader(loading: source).store(to:))
  }
}
