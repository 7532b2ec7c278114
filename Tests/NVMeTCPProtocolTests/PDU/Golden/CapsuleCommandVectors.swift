import NVMeTCPProtocol
import TestSupport

enum CapsuleCommandVectors {
  private static let queueEntry = [UInt8](0..<64)

  static let all = [
    GoldenPDU(
      name: "CapsuleCmd", section: "3.6.2.6", parameters: GoldenPDU.parameters(), receiver: .controller,
      bytes: hexadecimal("04004800 48000000") + queueEntry,
      encodeHeader: { encode(dataLength: 0, $0) }, reencodeHeader: reencode),
    GoldenPDU(
      name: "CapsuleCmd, header digest", section: "3.6.2.6",
      parameters: GoldenPDU.parameters(headerDigest: true, dataDigest: true, controllerAlignment: 128),
      receiver: .controller,
      bytes: hexadecimal("04014800 4c000000") + queueEntry + hexadecimal("36376449"),
      encodeHeader: { encode(dataLength: 0, $0) }, reencodeHeader: reencode),
    GoldenPDU(
      name: "CapsuleCmd, in-capsule data", section: "3.6.2.6", parameters: GoldenPDU.parameters(),
      receiver: .controller,
      bytes: hexadecimal("04004848 58000000") + queueEntry + GoldenPDU.data, data: GoldenPDU.data,
      encodeHeader: { encode(dataLength: 16, $0) }, reencodeHeader: reencode),
    GoldenPDU(
      name: "CapsuleCmd, in-capsule data, digests, 16-byte alignment", section: "3.6.2.6",
      parameters: GoldenPDU.parameters(headerDigest: true, dataDigest: true, controllerAlignment: 16),
      receiver: .controller,
      bytes: hexadecimal("04034850 64000000") + queueEntry + hexadecimal("4f490b67 00000000") + GoldenPDU.data
        + hexadecimal("7f04b384"), data: GoldenPDU.data,
      encodeHeader: { encode(dataLength: 16, $0) }, reencodeHeader: reencode),
  ]

  private static func encode(dataLength: Int, _ parameters: ConnectionParameters) -> [UInt8] {
    stored(CapsuleCommandHeader.byteCount) {
      CapsuleCommandHeader(dataLength: dataLength, parameters: parameters).store(to: $0)
      ($0 + CapsuleCommandHeader.submissionQueueEntryOffset).copyMemory(from: queueEntry, byteCount: 64)
    }
  }

  private static func reencode(_ source: UnsafeRawPointer) -> [UInt8] {
    stored(CapsuleCommandHeader.byteCount) {
      CapsuleCommandHeader(loading: source).store(to: $0)
      ($0 + 8).copyMemory(from: source + 8, byteCount: 64)
    }
  }
}
