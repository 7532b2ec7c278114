import BlockDevice
import EmbeddedTarget
import NVMeTCPProtocol
import TestSupport
import Testing

@Suite("Faults on purpose")
struct FaultTests {
  @Test("faults: status, close, reset, silence, delay, no answer")
  func faults() async throws {
    let fixture = try await TargetFixture.make()
    let admin = try WireHost(fixture.port)
    let controller = try admin.becomeAdmin()
    var read = SubmissionQueueEntry.read(namespaceIdentifier: 1, startingLBA: 10, blockCount: 1)
    read.sgl = .transport(length: 512)
    let queue = try WireHost(fixture.port)
    try queue.becomeIO(controller: controller)

    // By blocks and count.
    var rule = FaultRule(.ioCommand(opcode: 0x02), .status(.unrecoveredReadError), count: 1)
    rule.blocks = 10...10
    rule.skipCount = 1
    let identifier = try await fixture.target.addFault(rule)
    #expect(try queue.run(read).completion.status.isSuccess)
    var elsewhere = read
    elsewhere.startingLBA = 11
    #expect(try queue.run(elsewhere).completion.status.isSuccess)
    #expect(try queue.run(read).completion.status.matches(.unrecoveredReadError))
    #expect(try queue.run(read).completion.status.isSuccess)
    #expect(try await fixture.target.faultCount(identifier) == 1)

    // Delay: another command overtakes.
    try await fixture.target.removeAllFaults()
    _ = try await fixture.target.addFault(FaultRule(.ioCommand(), .delay(nanoseconds: 200_000_000), count: 1))
    var slow = read
    slow.commandIdentifier = 1
    var quick = read
    quick.commandIdentifier = 2
    try queue.send(queue.capsule(slow) + queue.capsule(quick))
    var order: [UInt16] = []
    while order.count < 2 {
      let pdu = try queue.expect()
      if pdu.type == .capsuleResponse { order.append(pdu.completion.commandIdentifier) }
    }
    #expect(order == [2, 1])

    // Never answered, then aborted. The admin queue's event request, which has a slot of the same number, stays.
    try await fixture.target.removeAllFaults()
    #expect(
      try admin.run(.setFeatures(.asynchronousEventConfiguration, value: 1 << 8)).completion.status.isSuccess)
    var event = SubmissionQueueEntry.asynchronousEventRequest()
    event.commandIdentifier = 600
    try admin.send(admin.capsule(event))
    _ = try await fixture.target.addFault(FaultRule(.ioCommand(), .neverAnswer, count: 1))
    try queue.send(queue.capsule(slow))
    #expect(try queue.run(read, identifier: 3).completion.status.isSuccess)
    #expect(try admin.run(.abort(commandIdentifier: 1, queueIdentifier: 1)).completion.dword0 == 0)
    #expect(try queue.expect().completion.status.matches(.commandAbortRequested))
    try await fixture.target.addNamespace(2, .memory(byteCount: 1 << 20), to: TargetFixture.nqn)
    #expect(try admin.run(.keepAlive(), identifier: 601).completion.commandIdentifier == 600)
    #expect(try admin.expect().completion.commandIdentifier == 601)

    // Close and reset.
    for (action, isOrderly) in [(FaultRule.Action.close, true), (.reset, false)] {
      let victim = try WireHost(fixture.port)
      try victim.becomeIO(controller: controller, queue: 2)
      try await fixture.target.removeAllFaults()
      _ = try await fixture.target.addFault(FaultRule(.ioCommand(opcode: 0x02), action, count: 1))
      try victim.send(victim.capsule(read))
      if isOrderly {
        #expect(try victim.receive() == nil)
      } else {
        #expect(throws: WireHost.Failure.self) { try victim.receive() }
      }
    }

    // Refused at Connect, at ICReq, at accept.
    try await fixture.target.removeAllFaults()
    _ = try await fixture.target.addFault(
      FaultRule(.fabricsCommand(.connect), .status(.connectControllerBusy), count: 1))
    let busy = try WireHost(fixture.port)
    try busy.initialize()
    let refused = try busy.run(WireHost.connectCommand(), data: WireHost.connectData())
    #expect(refused.completion.status.matches(.connectControllerBusy))
    _ = try await fixture.target.addFault(FaultRule(.initialization, .close, count: 1))
    let closed = try WireHost(fixture.port)
    #expect(throws: WireHost.Failure.self) { try closed.initialize() }
    await fixture.stop()
  }

  @Test("corrupted digests are noticed by the host", arguments: [true, false])
  func corruptDigests(header: Bool) async throws {
    let fixture = try await TargetFixture.make()
    let (controller, device) = try await fixture.connected(headerDigest: true, dataDigest: true)
    _ = try await device.read(at: 0, blockCount: 8)
    _ = try await fixture.target.addFault(
      FaultRule(.ioCommand(opcode: 0x02), header ? .corruptHeaderDigest : .corruptDataDigest, count: 1))
    let error = await #expect(throws: BlockError.self) { try await device.read(at: 0, blockCount: 8) }
    if case .failed(let outcome, _) = error?.cause {
      #expect(outcome == (header ? .connectionLost : .dataDigestError))
    } else {
      Issue.record("unexpected \(String(describing: error))")
    }
    // A data digest error costs one command, not the connection.
    if !header { _ = try await device.read(at: 0, blockCount: 8) }
    await controller.disconnect()
    await fixture.stop()
  }

  @Test("a target that falls silent is given up by the host's keep alive")
  func silence() async throws {
    let fixture = try await TargetFixture.make()
    let controller = fixture.controller {
      $0.keepAliveTimeoutMilliseconds = 500
      $0.shutdownTimeoutMilliseconds = 500
    }
    controller.connect()
    try await controller.ready()
    _ = try await fixture.target.addFault(FaultRule(.adminCommand(opcode: 0x18), .silence, count: 1))
    try await eventually { if case .closed = controller.condition { true } else { false } }
    guard case .closed(let error) = controller.condition else {
      Issue.record("still \(controller.condition)")
      return
    }
    #expect(error == .keepAliveTimeout(milliseconds: 500))
    await fixture.stop()
  }
}
