import NVMeTCPProtocol
import Testing

@Suite("PDU headers")
struct PDUCodecTests {
  @Test("encode to the golden bytes", arguments: GoldenPDU.all)
  func encode(vector: GoldenPDU) {
    #expect(vector.encode() == vector.bytes)
  }

  @Test("golden bytes decode to the same fields, at every alignment", arguments: GoldenPDU.all)
  func decode(vector: GoldenPDU) {
    for shift in 0..<8 {
      let shifted = [UInt8](repeating: 0, count: shift) + vector.bytes
      shifted.withUnsafeBytes { bytes in
        let start = bytes.baseAddress! + shift
        let header = PDUCommonHeader(loading: start)
        #expect(header.length == UInt32(vector.bytes.count))
        let isTermination = header.type == 2 || header.type == 3
        #expect(header.dataLength == (isTermination ? 0 : vector.data.count))
        #expect(vector.reencodeHeader(start) == Array(vector.bytes.prefix(Int(header.headerLength))))
      }
    }
  }

  @Test("golden bytes are valid", arguments: GoldenPDU.all)
  func valid(vector: GoldenPDU) {
    vector.bytes.withUnsafeBytes { bytes in
      let violation = PDUValidation.validate(
        PDUCommonHeader(loading: bytes.baseAddress!), headerBytes: bytes.baseAddress!, receiver: vector.receiver,
        parameters: vector.parameters)
      #expect(violation == nil)
    }
  }

  @Test("every type has a golden vector")
  func everyType() {
    let covered = Set(GoldenPDU.all.map { $0.bytes[0] })
    #expect(covered == Set(PDUType.allCases.map(\.rawValue)))
  }

  @Test("sizes on the wire and in memory")
  func sizes() {
    #expect(PDUCommonHeader.byteCount == 8)
    #expect(MemoryLayout<PDUCommonHeader>.size == 8)
    #expect(ICRequest.byteCount == 128)
    #expect(ICResponse.byteCount == 128)
    #expect(TerminationRequest.headerByteCount == 24)
    #expect(TerminationRequest.maximumByteCount == 152)
    #expect(CapsuleCommandHeader.byteCount == 72)
    #expect(MemoryLayout<CapsuleCommandHeader>.size == 8)
    #expect(CapsuleResponseHeader.byteCount == 24)
    #expect(H2CDataHeader.byteCount == 24)
    #expect(MemoryLayout<H2CDataHeader>.size == 20)
    #expect(C2HDataHeader.byteCount == 24)
    #expect(MemoryLayout<C2HDataHeader>.size == 20)
    #expect(ReadyToTransferHeader.byteCount == 24)
    #expect(MemoryLayout<ReadyToTransferHeader>.size == 20)
    for type in PDUType.allCases { #expect(type.headerByteCount <= PDUType.maximumHeaderByteCount) }
  }

  @Test("padding for every alignment HPDA and CPDA can ask for", arguments: 0...31)
  func padding(code: Int) {
    let alignment = (code + 1) * 4
    for headerDigest in [false, true] {
      let parameters = GoldenPDU.parameters(
        headerDigest: headerDigest, dataDigest: true, hostAlignment: alignment, controllerAlignment: alignment)
      for type in [PDUType.capsuleCommand, .hostToControllerData, .controllerToHostData] {
        let layout = PDULayout(type: type, dataLength: 512, parameters: parameters)
        let digested = type.headerByteCount + (headerDigest ? 4 : 0)
        #expect(layout.dataOffset % alignment == 0)
        #expect(layout.dataOffset >= digested)
        #expect(layout.dataOffset - digested < alignment)
        #expect(layout.dataOffset <= PDULayout.maximumDataOffset)
        #expect(layout.byteCount == layout.dataOffset + 512 + 4)
        let empty = PDULayout(type: type, dataLength: 0, parameters: parameters)
        #expect(empty.paddingByteCount == 0)
        #expect(empty.byteCount == digested)
        // An alignment for one direction does not concern the other.
        var other = parameters
        if type.receiver == .host {
          other.hostPDUDataAlignmentBytes = 4
        } else {
          other.controllerPDUDataAlignmentBytes = 4
        }
        #expect(PDULayout(type: type, dataLength: 512, parameters: other).paddingByteCount == 0)
      }
    }
  }

  @Test("a termination request carries at most 128 bytes of the offending header")
  func terminationRequestBounds() {
    let offending = [UInt8](0..<200)
    for (count, expected) in [(-5, 0), (0, 0), (8, 8), (128, 128), (200, 128)] {
      let request = TerminationRequest(
        sender: .host, fatalErrorStatus: .pduSequenceError, fatalErrorInformation: 0, offendingHeaderByteCount: count)
      var length = 0
      let bytes = stored(TerminationRequest.maximumByteCount) {
        length = request.store(to: $0, offendingHeader: offending)
      }
      #expect(length == 24 + expected)
      #expect(request.common.length == UInt32(24 + expected))
      #expect(Array(bytes[24..<length]) == Array(offending.prefix(expected)))
      #expect(bytes[length...].allSatisfy { $0 == 0xEE })
    }
    // PLEN out of bounds does not make the data longer than it can be.
    var received = TerminationRequest(
      sender: .host, fatalErrorStatus: .pduSequenceError, fatalErrorInformation: 0, offendingHeaderByteCount: 0)
    received.common.length = .max
    #expect(received.dataByteCount == 128)
    received.common.length = 3
    #expect(received.dataByteCount == 0)
  }

  @Test("parameters follow from ICReq and ICResp")
  func parameters() {
    let request = ICRequest(digests: [.header, .data], hostPDUDataAlignment: 31, maximumReadyToTransfer: .max)
    let response = ICResponse(digests: .data, controllerPDUDataAlignment: 1, maximumH2CDataLength: 65_536)
    let parameters = ConnectionParameters(request: request, response: response)
    #expect(parameters.initialized)
    #expect(!parameters.headerDigest)
    #expect(parameters.dataDigest)
    #expect(parameters.hostPDUDataAlignmentBytes == 128)
    #expect(parameters.controllerPDUDataAlignmentBytes == 8)
    #expect(parameters.maximumH2CDataLength == 65_536)
    #expect(parameters.maximumReadyToTransfer == 4_294_967_296)
  }
}
