import NVMeTCPProtocol
import TestSupport

enum CapsuleResponseVectors {
  private static let queueEntry = [UInt8](0xA0..<0xB0)

  static let all = [
    GoldenPDU(
      name: "CapsuleResp", section: "3.6.2.7", parameters: GoldenPDU.parameters(dataDigest: true), receiver: .host,
      bytes: hexadecimal("05001800 18000000") + queueEntry, encodeHeader: encode, reencodeHeader: reencode),
    GoldenPDU(
      name: "CapsuleResp, header digest", section: "3.6.2.7",
      parameters: GoldenPDU.parameters(headerDigest: true, hostAlignment: 128), receiver: .host,
      bytes: hexadecimal("05011800 1c000000") + queueEntry + hexadecimal("892a3017"),
      encodeHeader: encode, reencodeHeader: reencode),
  ]

  private static func encode(_ parameters: ConnectionParameters) -> [UInt8] {
    stored(CapsuleResponseHeader.byteCount) {
      CapsuleResponseHeader(parameters: parameters).store(to: $0)
      ($0 + CapsuleResponseHeader.completionQueueEntryOffset).copyMemory(from: queueEntry, byteCount: 16)
    }
  }

  private static func reencode(_ source: UnsafeRawPointer) -> [UInt8] {
    stored(CapsuleResponseHeader.byteCount) {
      CapsuleResponseHeader(loading: source).store(to: $0)
      ($0 + 8).copyMemory(from: source + 8, byteCount: 16)
    }
  }
}
