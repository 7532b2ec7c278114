import NVMeTCPProtocol
import TestSupport

enum ICRequestVectors {
  static let all = [
    GoldenPDU(
      name: "ICReq, both digests, HPDA 31, MAXR2T 3", section: "3.6.2.2", parameters: ConnectionParameters(),
      receiver: .controller,
      bytes: hexadecimal("00008000 80000000 0000 1f 03 03000000") + [UInt8](repeating: 0, count: 112),
      encodeHeader: { _ in
        let request = ICRequest(digests: [.header, .data], hostPDUDataAlignment: 31, maximumReadyToTransfer: 3)
        return stored(ICRequest.byteCount, request.store(to:))
      },
      reencodeHeader: { stored(ICRequest.byteCount, ICRequest(loading: $0).store(to:)) })
  ]
}
