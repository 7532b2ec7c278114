import BlockDevice
@testable import EmbeddedTarget
import RingReactor
import TestSupport
import Testing

@Suite struct ZeroingTests {
  @Test(
    "a long Write Zeroes or discard lets commands behind it go first",
    arguments: [IOOpcode.writeZeroes, .datasetManagement])
  func othersGoOn(opcode: IOOpcode) async throws {
    let blockByteCount = 65_536
    let byteCount = 1 << 30
    let fixture = try await TargetFixture.make(
      namespaces: [1: .memory(byteCount: UInt64(byteCount), blockByteCount: blockByteCount)])
    let places = [0, 5 << 20, byteCount - 4096].map { UInt64($0) }
    for place in places {
      try await fixture.target.writeNamespace(1, of: TargetFixture.nqn, offset: place, bytes: pattern(4096))
    }
    let admin = try WireHost(fixture.port)
    let identifier = try admin.becomeAdmin()
    let host = try WireHost(fixture.port)
    try host.becomeIO(controller: identifier)
    let long = Self.capsule(host, opcode, identifier: 1, blockCount: byteCount / blockByteCount)
    var flush = SubmissionQueueEntry.flush(namespaceIdentifier: 1)
    flush.commandIdentifier = 2
    // In one piece, so that the target has both at once.
    try host.send(long + host.capsule(flush))
    let answers = [try host.expect().completion, try host.expect().completion]
    #expect(answers.map(\.commandIdentifier) == [2, 1])
    #expect(answers.allSatisfy { $0.status.isSuccess })
    for place in places {
      #expect(isZero(try await fixture.target.readNamespace(1, of: TargetFixture.nqn, offset: place, byteCount: 4096)))
    }
    // A short one is answered at once, and a connection that ends takes what it has begun with it.
    try host.send(Self.capsule(host, opcode, identifier: 3, blockCount: 1) + host.capsule(flush))
    #expect(try host.expect().completion.commandIdentifier == 3)
    #expect(try host.expect().completion.commandIdentifier == 2)
    do {
      let leaving = try WireHost(fixture.port)
      try leaving.becomeIO(controller: identifier, queue: 2)
      try leaving.send(Self.capsule(leaving, opcode, identifier: 1, blockCount: byteCount / blockByteCount))
    }
    #expect(try host.run(.flush(namespaceIdentifier: 1)).completion.status.isSuccess)
    await fixture.stop()
  }

  private static func capsule(
    _ host: WireHost, _ opcode: IOOpcode, identifier: UInt16, blockCount: Int
  ) -> [UInt8] {
    guard opcode == .datasetManagement else {
      var command = SubmissionQueueEntry.writeZeroes(namespaceIdentifier: 1, startingLBA: 0, blockCount: blockCount)
      command.commandIdentifier = identifier
      return host.capsule(command)
    }
    var command = SubmissionQueueEntry(opcode: opcode.rawValue, namespaceIdentifier: 1)
    command.commandIdentifier = identifier
    // AD: deallocate.
    command.cdw11 = 1 << 2
    command.sgl = .inCapsule(length: 16)
    return host.capsule(
      command, data: stored(16) { $0.storeBytes(of: UInt32(blockCount).littleEndian, toByteOffset: 4, as: UInt32.self) }
    )
  }

  @Test(
    "pieces make up the ranges, and nothing else",
    arguments: [
      [0..<8 << 20], [1..<(8 << 20) - 1], [512..<1024, 1024..<1024, 4096..<5 << 20], [(3 << 20) - 1..<(6 << 20) + 1],
      [7 << 20..<8 << 20, 0..<1, 100..<3 << 20],
    ])
  func pieces(ranges: [Range<Int>]) throws {
    let byteCount = 8 << 20
    let region = try MemoryRegion(byteCount: byteCount)
    var expected = pattern(byteCount)
    // Nothing of it is zero already.
    for index in expected.indices { expected[index] |= 1 }
    region.base.copyMemory(from: expected, byteCount: byteCount)
    for range in ranges { expected.replaceSubrange(range, with: repeatElement(0, count: range.count)) }
    var zeroing = MemoryZeroing(slot: 0, generation: 0, ranges: ranges.reversed())
    var steps = 1
    while !zeroing.advance(in: region) { steps += 1 }
    #expect(isEqual(Array(UnsafeRawBufferPointer(start: region.base, count: byteCount))[...], expected[...]))
    let sum = ranges.reduce(0) { $0 + $1.count }
    #expect(steps >= sum / (4 * MemoryZeroing.pieceByteCount))
    #expect(steps <= 1 + sum / MemoryZeroing.pieceByteCount)
  }
}
