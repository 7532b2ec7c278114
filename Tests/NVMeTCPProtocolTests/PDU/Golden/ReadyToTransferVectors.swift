import NVMeTCPProtocol
import TestSupport

enum ReadyToTransferVectors {
  static let all = [
    GoldenPDU(
      name: "R2T", section: "3.6.2.10", parameters: GoldenPDU.parameters(dataDigest: true), receiver: .host,
      bytes: hexadecimal("09001800 18000000 3412 cdab 00300000 00000200 00000000"),
      encodeHeader: encode, reencodeHeader: reencode),
    GoldenPDU(
      name: "R2T, header digest", section: "3.6.2.10",
      parameters: GoldenPDU.parameters(headerDigest: true, hostAlignment: 128), receiver: .host,
      bytes: hexadecimal("09011800 1c000000 3412 cdab 00300000 00000200 00000000 184a5670"),
      encodeHeader: encode, reencodeHeader: reencode),
  ]

  private static func encode(_ parameters: ConnectionParameters) -> [UInt8] {
    let header = ReadyToTransferHeader(
      commandIdentifier: 0x1234, transferTag: 0xABCD, offset: 0x3000, length: 0x20000, parameters: parameters)
    return stored(ReadyToTransferHeader.byteCount, header.store(to:))
  }

  private static func reencode(_ source: UnsafeRawPointer) -> [UInt8] {
    stored(ReadyToTransferHeader.byteCount, ReadyToTransferHeader(loading: source).store(to:))
  }
}
