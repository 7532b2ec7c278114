import CCRC32C
import NVMeTCPProtocol

/// The same bytes whole and in pieces must give the same events.
enum ReceiverComparison {
  private struct Record: Equatable {
    var headers: [[UInt8]] = []
    var payload: [UInt8] = []
    var endCount = 0
    var digestErrorCount = 0
    var violation: PDUViolation?
    var isBetweenPDUs = false
  }

  static func run(_ input: inout FuzzInput) {
    let parameters = PDUDecoders.parameters(&input)
    let role: ConnectionRole = input.byte() & 1 == 0 ? .host : .controller
    let step = 1 + Int(input.byte() % 40)
    let bytes = input.rest()
    let whole = record(bytes, step: max(bytes.count, 1), role, parameters)
    let pieces = record(bytes, step: step, role, parameters)
    check(whole == pieces, "pieces of \(step) bytes give other events than the whole")
  }

  private static func record(
    _ bytes: [UInt8], step: Int, _ role: ConnectionRole, _ parameters: ConnectionParameters
  ) -> Record {
    var receiver = PDUReceiver(role: role, parameters: parameters)
    var record = Record()
    var position = 0
    pieces: while position < bytes.count {
      let count = min(step, bytes.count - position)
      let chunk = UnsafeMutableRawPointer.allocate(byteCount: count, alignment: 1)
      defer { chunk.deallocate() }
      bytes.withUnsafeBytes { chunk.copyMemory(from: $0.baseAddress! + position, byteCount: count) }
      position += count
      var input = UnsafeRawBufferPointer(start: chunk, count: count)
      while true {
        switch receiver.next(&input) {
        case .needsMore:
          check(input.isEmpty, "more bytes are wanted with \(input.count) left")
          continue pieces
        case .header:
          let header = UnsafeRawBufferPointer(start: receiver.header, count: receiver.headerByteCount)
          record.headers.append(Array(header))
        case .payload:
          let piece = UnsafeRawBufferPointer(start: receiver.piece, count: receiver.pieceCount)
          record.payload += piece
          if receiver.common.flags.contains(.dataDigest) {
            receiver.digest = nvmeof_crc32c_extend(receiver.digest, piece.baseAddress, piece.count)
          }
        case .end:
          record.endCount += 1
          if receiver.hasDataDigestError { record.digestErrorCount += 1 }
        case .violation:
          record.violation = receiver.violation
          check(record.violation != nil, "a violation that is none")
          break pieces
        }
      }
    }
    record.isBetweenPDUs = receiver.isBetweenPDUs
    return record
  }
}
