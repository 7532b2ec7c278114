import BlockDevice
import EmbeddedTarget
import TestSupport
import Testing

@Suite(.timeLimit(.minutes(2))) struct ErrorInjectionTests {
  private static let medium = StatusField(.mediaAndDataIntegrity, 0x81)

  @Test func commandsFailAsOftenAsIsAskedFor() async throws {
    let bed = try await TestBed()
    let controller = try await bed.connect()
    try await controller.inject(ErrorInjection(opcode: 0x02, count: 2, status: Self.medium), into: .io)
    let read = SubmissionQueueEntry.read(namespaceIdentifier: 1, startingLBA: 0, blockCount: 8)
    for count in 0..<4 {
      let reply = try await controller.io(read, dataInByteCount: 4096)
      #expect(reply.status.matches(Self.medium) == (count < 2), "\(count)")
    }
    // Others are none the worse for it.
    let write = SubmissionQueueEntry.write(namespaceIdentifier: 1, startingLBA: 0, blockCount: 8)
    #expect(try await controller.io(write, dataOut: pattern(4096, seed: 1)).status.isSuccess)
    #expect(try await controller.io(read, dataInByteCount: 4096).data == pattern(4096, seed: 1))
    #expect(try await bed.end(openFaces: 0) == 0)
  }

  @Test func whatIsWithheldDoesNotReachTheController() async throws {
    let bed = try await TestBed()
    let controller = try await bed.connect()
    try await controller.inject(
      ErrorInjection(opcode: 0x01, isWithheld: true, delayMicroseconds: 2000, count: 1000, status: Self.medium),
      into: .io)
    let write = SubmissionQueueEntry.write(namespaceIdentifier: 1, startingLBA: 0, blockCount: 8)
    let read = SubmissionQueueEntry.read(namespaceIdentifier: 1, startingLBA: 0, blockCount: 8)
    #expect(try await controller.io(write, dataOut: pattern(4096, seed: 1)).status.matches(Self.medium))
    #expect(try await controller.io(read, dataInByteCount: 4096).data == Array(repeating: 0, count: 4096))
    await controller.removeInjections(opcode: 0x01, from: .io)
    #expect(try await controller.io(write, dataOut: pattern(4096, seed: 1)).status.isSuccess)
    #expect(try await controller.io(read, dataInByteCount: 4096).data == pattern(4096, seed: 1))
    #expect(try await bed.end(openFaces: 0) == 0)
  }

  @Test func adminCommands() async throws {
    let bed = try await TestBed()
    let controller = try await bed.connect()
    try await controller.inject(ErrorInjection(opcode: 0x06, status: Self.medium), into: .admin)
    let identify = SubmissionQueueEntry.identify(.controller)
    #expect(try await controller.admin(identify, dataInByteCount: 4096).status.matches(Self.medium))
    #expect(try await controller.admin(identify, dataInByteCount: 4096).status.isSuccess)
    #expect(try await bed.end(openFaces: 0) == 0)
  }

  @Test func theConnectionsEndIsTheEndOfIt() async throws {
    let bed = try await TestBed()
    let controller = try await bed.connect()
    try await controller.inject(
      ErrorInjection(opcode: 0x02, isWithheld: true, delayMicroseconds: .max, count: 100, status: Self.medium),
      into: .io)
    let read = SubmissionQueueEntry.read(namespaceIdentifier: 1, startingLBA: 0, blockCount: 8)
    let before = try await bed.thread.handle.perform { $0.sourceCount }
    let withheld = Task { try await controller.io(read, dataInByteCount: 4096) }
    // The command is a source of its own.
    while try await bed.thread.handle.perform({ $0.sourceCount }) == before { await Task.yield() }
    try await controller.inject(ErrorInjection(opcode: 0x08, status: Self.medium), into: .io)
    try await controller.reset()
    await #expect(throws: ControllerError.self) { _ = try await withheld.value }
    #expect(try await controller.io(read, dataInByteCount: 4096).status.isSuccess)
    await controller.disconnect()
    await #expect(throws: ControllerError.self) {
      try await controller.inject(ErrorInjection(opcode: 0x02, status: Self.medium), into: .io)
    }
    #expect(try await bed.end(openFaces: 0) == 0)
  }

  @Test func moreCommandsThanTheQueueHasRoomFor() async throws {
    let bed = try await TestBed(host: { $0.queueDepth = 4 })
    let controller = try await bed.connect()
    // The queue pair is one that injects, and passes on what it does not.
    try await controller.inject(ErrorInjection(opcode: 0x05, status: Self.medium), into: .io)
    let device = try #require(controller.blockDevice(namespaceIdentifier: 1))
    try await withThrowingTaskGroup(of: Void.self) { group in
      for index in 0..<64 {
        group.addTask {
          let bytes = pattern(4096, seed: UInt64(index))
          try await device.write(at: UInt64(index * 8), bytes)
          let read = SubmissionQueueEntry.read(
            namespaceIdentifier: 1, startingLBA: UInt64(index * 8), blockCount: 8)
          let reply = try await controller.io(read, dataInByteCount: 4096)
          #expect(reply.data == bytes)
        }
      }
      try await group.waitForAll()
    }
    #expect(try await bed.end() == 0)
  }
}
