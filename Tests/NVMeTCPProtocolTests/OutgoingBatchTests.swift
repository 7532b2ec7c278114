import NVMeProtocol
import NVMeTCPProtocol
import Testing

@Suite("Outgoing batch")
struct OutgoingBatchTests {
  /// The bytes that are still to be sent.
  private func bytes(_ batch: borrowing OutgoingBatch) -> [UInt8] {
    batch.unsentVectors.flatMap { Array(UnsafeRawBufferPointer(start: $0.base, count: $0.count)) }
  }

  @Test func neighboursAreOneVector() {
    let memory = UnsafeMutableRawBufferPointer.allocate(byteCount: 16, alignment: 1)
    defer { memory.deallocate() }
    memory.copyBytes(from: 0..<16)
    let base = memory.baseAddress!
    var batch = OutgoingBatch(vectorCapacity: 4, stagingCapacity: 8)
    batch.stage(1).storeBytes(of: 0xF0, as: UInt8.self)
    batch.stage(1).storeBytes(of: 0xF1, as: UInt8.self)
    batch.append(base, 4)
    batch.append(base + 4, 2)
    batch.append(base + 8, 2)
    batch.stage(1).storeBytes(of: 0xF2, as: UInt8.self)
    #expect(batch.unsentVectors.map(\.count) == [2, 6, 2, 1])
    #expect(batch.unsentByteCount == 11)
    #expect(bytes(batch) == [0xF0, 0xF1, 0, 1, 2, 3, 4, 5, 8, 9, 0xF2])
    let room = [(1, 0), (0, 5), (0, 6)].map { batch.hasRoom(vectors: $0, stagingByteCount: $1) }
    #expect(room == [false, true, false])
  }

  @Test(arguments: [[11], [1, 10], [2, 9], [3, 4, 4], [8, 3], Array(repeating: 1, count: 11), [0, 11]])
  func whatTheSocketTakesLeaves(_ pieces: [Int]) {
    let memory = UnsafeMutableRawBufferPointer.allocate(byteCount: 11, alignment: 1)
    defer { memory.deallocate() }
    memory.copyBytes(from: 0..<11)
    let base = memory.baseAddress!
    var batch = OutgoingBatch(vectorCapacity: 4, stagingCapacity: 8)
    for (start, count) in [(0, 2), (8, 3), (2, 6)] { batch.append(base + start, count) }
    let all: [UInt8] = [0, 1, 8, 9, 10, 2, 3, 4, 5, 6, 7]
    var sent = 0
    for piece in pieces {
      sent += piece
      let isAll = batch.didSend(byteCount: piece)
      #expect(isAll == (sent == 11))
      #expect(bytes(batch) == Array(all[sent...]))
      #expect(batch.unsentByteCount == 11 - sent)
    }
    batch.removeAll()
    let hasAllItsRoom = batch.hasRoom(vectors: 4, stagingByteCount: 8)
    #expect(batch.unsentVectors.isEmpty && hasAllItsRoom)
  }
}
