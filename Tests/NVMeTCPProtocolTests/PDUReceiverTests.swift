import NVMeProtocol
import NVMeTCPProtocol
import TestSupport
import Testing

@Suite("PDU receiver")
struct PDUReceiverTests {
  /// What a receiver has told of a stream.
  private struct Told: Equatable {
    var headers: [[UInt8]] = []
    var payloads: [[UInt8]] = []
    var hasDigestErrors: [Bool] = []
    var violation: PDUViolation?
    var isBetweenPDUs = false
  }

  /// Feeds `bytes` in chunks of what `cut` says, each in memory of its own.
  private func tell(
    _ bytes: [UInt8], role: ConnectionRole, parameters: ConnectionParameters, skipsPayload: Bool = false,
    cut: () -> Int
  ) -> Told {
    var receiver = PDUReceiver(role: role, parameters: parameters)
    var told = Told()
    var rest = bytes[...]
    repeat {
      var count = min(rest.count, max(1, cut()))
      if skipsPayload && receiver.remainingPayloadByteCount > 0 && !rest.isEmpty {
        count = min(count, receiver.remainingPayloadByteCount)
        told.payloads[told.payloads.count - 1] += rest.prefix(count)
        receiver.digest = crc32c(told.payloads.last!)
        receiver.skipPayload(count: count)
        rest = rest.dropFirst(count)
        count = 0
      }
      let chunk = UnsafeMutableRawBufferPointer.allocate(byteCount: count, alignment: 1)
      defer { chunk.deallocate() }
      chunk.copyBytes(from: rest.prefix(count))
      rest = rest.dropFirst(count)
      var input = UnsafeRawBufferPointer(chunk)
      events: while true {
        switch receiver.next(&input) {
        case .needsMore:
          #expect(input.isEmpty)
          break events
        case .header:
          told.headers.append([UInt8](UnsafeRawBufferPointer(start: receiver.header, count: receiver.headerByteCount)))
          told.payloads.append([])
        case .payload:
          told.payloads[told.payloads.count - 1] += UnsafeRawBufferPointer(
            start: receiver.piece, count: receiver.pieceCount)
          receiver.digest = crc32c(told.payloads.last!)
        case .end:
          told.hasDigestErrors.append(receiver.hasDataDigestError)
          #expect(told.payloads.last!.count == receiver.payloadByteCount)
        case .violation:
          told.violation = receiver.violation
          told.headers.append([UInt8](UnsafeRawBufferPointer(start: receiver.header, count: receiver.headerByteCount)))
          return told
        }
      }
    } while !rest.isEmpty
    told.isBetweenPDUs = receiver.isBetweenPDUs
    return told
  }

  @Test("golden PDUs, three in a row, cut at every place", arguments: GoldenPDU.all)
  func golden(vector: GoldenPDU) throws {
    // A connection is initialized once.
    let times = vector.bytes[0] < 2 ? 1 : 3
    let stream = (0..<times).flatMap { _ in vector.bytes }
    let whole = tell(stream, role: vector.receiver, parameters: vector.parameters) { stream.count }
    #expect(whole.violation == nil && whole.isBetweenPDUs)
    #expect(whole.headers == Array(repeating: Array(vector.bytes.prefix(Int(vector.bytes[2]))), count: times))
    // The header that a termination request tells of is part of its header here.
    let data = vector.bytes[0] == 2 || vector.bytes[0] == 3 ? [] : vector.data
    #expect(whole.payloads == Array(repeating: data, count: times))
    #expect(whole.hasDigestErrors == Array(repeating: false, count: times))
    for size in 1..<stream.count {
      #expect(tell(stream, role: vector.receiver, parameters: vector.parameters) { size } == whole)
      #expect(tell(stream, role: vector.receiver, parameters: vector.parameters, skipsPayload: true) { size } == whole)
    }
  }

  @Test("a wrong data digest is told at the end, and only there", arguments: GoldenPDU.all)
  func dataDigest(vector: GoldenPDU) {
    guard vector.bytes[1] & 2 != 0 else { return }
    var bytes = vector.bytes
    bytes[bytes.count - 1] ^= 1
    let told = tell(bytes + vector.bytes, role: vector.receiver, parameters: vector.parameters) { 7 }
    #expect(told.violation == nil && told.hasDigestErrors == [true, false])
  }

  @Test("a stream that stops anywhere in a PDU is neither an end nor an error", arguments: GoldenPDU.all)
  func truncated(vector: GoldenPDU) {
    for count in 1..<vector.bytes.count {
      let told = tell(Array(vector.bytes.prefix(count)), role: vector.receiver, parameters: vector.parameters) { 1000 }
      #expect(told.violation == nil && !told.isBetweenPDUs && told.hasDigestErrors.isEmpty)
    }
  }

  @Test("one changed byte anywhere: the same findings in every chunking", arguments: GoldenPDU.all)
  func changed(vector: GoldenPDU) {
    for position in 0..<vector.bytes.count {
      for bit in [0x01, 0x80] as [UInt8] {
        var bytes = vector.bytes
        bytes[position] ^= bit
        let stream = bytes + vector.bytes
        let whole = tell(stream, role: vector.receiver, parameters: vector.parameters) { stream.count }
        for size in [1, 3, 8, 24, 29] {
          #expect(tell(stream, role: vector.receiver, parameters: vector.parameters) { size } == whole)
        }
      }
    }
  }

  @Test("noise", arguments: 0..<200 as Range<UInt64>)
  func noise(seed: UInt64) {
    let bytes = pattern(300, seed: seed)
    let parameters = GoldenPDU.parameters(
      headerDigest: seed & 1 != 0, dataDigest: seed & 2 != 0, hostAlignment: 4 << (seed % 6))
    for role in [ConnectionRole.host, .controller] {
      let whole = tell(bytes, role: role, parameters: parameters) { 300 }
      #expect(tell(bytes, role: role, parameters: parameters) { 1 } == whole)
    }
  }
}
