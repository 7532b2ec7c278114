import BlockDevice
import EmbeddedTarget
import TestSupport
import Testing

@Suite(.timeLimit(.minutes(2)))
struct CommandTimeoutTests {
  @Test func `A command that takes too long is aborted, and the connection stays`() async throws {
    let bed = try await TestBed(host: {
      $0.ioTimeoutMilliseconds = 2000
      $0.timeoutAction = .abort
    })
    let controller = try await bed.connect()
    let device = try #require(controller.blockDevice(namespaceIdentifier: 1))
    try await bed.target.addFault(FaultRule(.ioCommand(opcode: 0x02), .neverAnswer, count: 1))
    let error = await #expect(throws: BlockError.self) { _ = try await device.read(at: 0, blockCount: 8) }
    #expect(error?.status?.matches(.commandAbortRequested) == true)
    _ = try await device.read(at: 0, blockCount: 8)
    #expect(controller.condition == .ready && controller.snapshot.abortCount == 1)
    #expect(try await bed.end() == 0)
  }

  @Test func `A command that an abort does not end ends the connection`() async throws {
    let bed = try await TestBed(host: {
      $0.ioTimeoutMilliseconds = 2000
      $0.timeoutAction = .abort
    })
    let controller = try await bed.connect()
    let device = try #require(controller.blockDevice(namespaceIdentifier: 1))
    try await bed.target.addFault(FaultRule(.ioCommand(opcode: 0x02), .neverAnswer, count: 1))
    // Abort, opcode 08h.
    try await bed.target.addFault(FaultRule(.adminCommand(opcode: 0x08), .status(.invalidFieldInCommand)))
    let error = await #expect(throws: BlockError.self) { _ = try await device.read(at: 0, blockCount: 8) }
    #expect(error?.isOutcomeUnknown == true)
    try await eventually { if case .closed = controller.condition { true } else { false } }
    #expect(try await bed.end() == 0)
  }

  @Test func `A controller gets as many aborts at once as it takes`() async throws {
    let bed = try await TestBed(host: {
      $0.ioTimeoutMilliseconds = 2000
      $0.timeoutAction = .abort
    })
    let controller = try await bed.connect()
    let limit = UInt64(try #require(controller.snapshot.identification).abortCommandLimit) + 1
    let device = try #require(controller.blockDevice(namespaceIdentifier: 1))
    try await bed.target.addFault(FaultRule(.ioCommand(opcode: 0x02), .neverAnswer, count: 2 * limit))
    try await Self.readSideBySide(2 * limit, of: device) { #expect($0.status?.matches(.commandAbortRequested) == true) }
    #expect(controller.condition == .ready && controller.snapshot.abortCount == 2 * limit)
    // While none of those is answered no more are sent.
    try await bed.target.addFault(FaultRule(.ioCommand(opcode: 0x02), .neverAnswer, count: limit + 1))
    try await bed.target.addFault(FaultRule(.adminCommand(opcode: 0x08), .neverAnswer, count: limit))
    try await Self.readSideBySide(limit + 1, of: device) { #expect($0.isOutcomeUnknown) }
    #expect(try await bed.end() == 0)
  }

  private static func readSideBySide(
    _ count: UInt64, of device: NVMeBlockDevice, _ check: @escaping @Sendable (BlockError) -> Void
  ) async throws {
    await withTaskGroup(of: Void.self) { group in
      for _ in 0..<count {
        group.addTask {
          let error = await #expect(throws: BlockError.self) { _ = try await device.read(at: 0, blockCount: 8) }
          if let error { check(error) }
        }
      }
    }
  }

  @Test func `An admin command of a user's has its time, too`() async throws {
    let bed = try await TestBed(host: { $0.adminTimeoutMilliseconds = 2000 })
    let controller = try await bed.connect()
    try await bed.target.addFault(FaultRule(.adminCommand(opcode: 0x06), .neverAnswer))
    await #expect(throws: ControllerError.self) {
      _ = try await controller.admin(.identify(.controller), dataInByteCount: 4096)
    }
    try await eventually { if case .closed = controller.condition { true } else { false } }
    #expect(controller.condition == .closed(.adminTimeout(step: "an admin command", milliseconds: 2000)))
    #expect(try await bed.end(openFaces: 0) == 0)
  }

  @Test func `Users' slow admin commands do not keep keep alives waiting`() async throws {
    let bed = try await TestBed(host: { $0.keepAliveTimeoutMilliseconds = 2000 })
    let controller = try await bed.connect()
    // Get Features, as many as the admin queue has places, and some more; all of them take longer than KATO.
    try await bed.target.addFault(FaultRule(.adminCommand(opcode: 0x0A), .delay(nanoseconds: 4_500_000_000)))
    try await withThrowingTaskGroup(of: Void.self) { group in
      for _ in 0..<ControllerConfiguration.adminQueueDepth + 5 {
        group.addTask {
          let reply = try await controller.admin(.getFeatures(.numberOfQueues))
          #expect(reply.status.isSuccess)
        }
      }
      try await group.waitForAll()
    }
    #expect(controller.condition == .ready && controller.snapshot.recovery.lossCount == 0)
    #expect(try await bed.end(openFaces: 0) == 0)
  }

  @Test func `Admin commands that there is no room for are refused as such`() async throws {
    let bed = try await TestBed()
    let controller = try await bed.connect()
    // Get Features: never answered, hence all of them wait.
    try await bed.target.addFault(FaultRule(.adminCommand(opcode: 0x0A), .neverAnswer))
    let errors = await withTaskGroup(of: ControllerError?.self) { group in
      for _ in 0..<1024 + ControllerConfiguration.adminQueueDepth {
        group.addTask {
          do throws(ControllerError) {
            _ = try await controller.admin(.getFeatures(.numberOfQueues))
            return nil
          } catch { return error }
        }
      }
      // Those that there is room for end with the connection.
      var errors: [ControllerError?] = []
      for await error in group {
        errors.append(error)
        if errors.count == 11 { controller.shutdown() }
      }
      return errors
    }
    #expect(errors.prefix(11).allSatisfy { $0 == .busy(waitingCount: 1024) })
    #expect(errors.dropFirst(11).allSatisfy { $0 == .disconnected })
    #expect(try await bed.end(openFaces: 0) == 0)
  }

  @Test func `With the action none nothing is done`() async throws {
    let bed = try await TestBed(host: {
      $0.ioTimeoutMilliseconds = 50
      $0.adminTimeoutMilliseconds = 5000
      $0.timeoutAction = .none
    })
    let controller = try await bed.connect()
    let device = try #require(controller.blockDevice(namespaceIdentifier: 1))
    try await bed.target.addFault(FaultRule(.ioCommand(opcode: 0x02), .delay(nanoseconds: 1_500_000_000), count: 1))
    _ = try await device.read(at: 0, blockCount: 8)
    #expect(controller.condition == .ready && controller.snapshot.recovery.lossCount == 0)
    #expect(try await bed.end() == 0)
  }
}
