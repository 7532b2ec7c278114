import NVMeHost
import NVMeProtocol
import Testing

@Suite struct EndTests {
  @Test func orderlyShutdown() {
    var harness = MachineHarness()
    harness.controller.pollsUntilShutDown = 3
    harness.start()
    harness.send(.shutdown)
    #expect(harness.machine.state == .waitingForShutdown)
    // EN stays, SHN is 01b.
    #expect(harness.controller.configurationRegister == 0x0046_4061)
    harness.pass(milliseconds: 100)
    #expect(harness.closedError == .some(nil))
    #expect(harness.reports.suffix(2) == [.closeQueues, .closed(nil)])
    #expect(harness.machine.nextDeadlineNanoseconds == nil)
  }

  @Test func shutdownHasADeadline() {
    var harness = MachineHarness { $0.shutdownTimeoutMilliseconds = 3000 }
    harness.controller.pollsUntilShutDown = nil
    harness.start()
    harness.send(.shutdown)
    harness.pass(milliseconds: 2_990)
    #expect(!harness.isClosed)
    harness.pass(milliseconds: 20)
    #expect(harness.closedError == .some(nil))
  }

  @Test func shutdownOfASilentController() {
    var harness = MachineHarness { $0.shutdownTimeoutMilliseconds = 3000 }
    harness.start()
    harness.override = { _, _ in .hold }
    harness.send(.shutdown)
    // Asked twice: once is done.
    harness.send(.shutdown)
    #expect(harness.machine.state == .requestingShutdown)
    harness.pass(milliseconds: 3_000)
    #expect(harness.closedError == .some(nil))
  }

  @Test func shutdownRefused() {
    var harness = MachineHarness()
    harness.start()
    harness.override = { _, _ in .status(.internalError) }
    harness.send(.shutdown)
    #expect(harness.closedError == .some(nil))
  }

  /// SPDK's target ends the I/O queues, and says that it is shut down when they are gone.
  @Test func aShutdownThatEndsTheIOQueuesFirst() {
    var harness = MachineHarness()
    harness.controller.pollsUntilShutDown = 3
    harness.start()
    harness.send(.shutdown)
    harness.send(.queueFailed(identifier: 1, .transport(queueIdentifier: 1, TransportError(.closedByPeer, "gone"))))
    #expect(harness.machine.state == .waitingForShutdown)
    harness.pass(milliseconds: 100)
    #expect(harness.closedError == .some(nil) && harness.machine.isShutDown)
  }

  @Test func lossDuringShutdownIsNoError() {
    var harness = MachineHarness()
    harness.start()
    harness.override = { _, _ in .hold }
    harness.send(.shutdown)
    harness.send(.queueFailed(identifier: 0, .transport(queueIdentifier: 0, TransportError(.broken, "gone"))))
    #expect(harness.closedError == .some(nil))
  }

  /// Shutdown while each command of the sequence is outstanding, and while queues connect.
  @Test(arguments: Array(0..<14)) func shutdownInEveryState(position: Int) {
    var harness = MachineHarness { $0.keepAliveTimeoutMilliseconds = 0 }
    harness.override = { index, _ in index == position ? .hold : nil }
    harness.start()
    harness.override = nil
    harness.send(.shutdown)
    harness.pass(milliseconds: 60_000)
    #expect(harness.closedError == .some(nil), "\(position): \(harness.machine.state)")
  }

  @Test func shutdownWhileQueuesConnect() {
    var harness = MachineHarness()
    harness.send(.shutdown)
    #expect(harness.closedError == .some(nil))

    harness = MachineHarness()
    harness.answersQueues = false
    harness.start()
    harness.send(.shutdown)
    #expect(harness.closedError == .some(nil) && harness.commandNames.isEmpty)

    harness = MachineHarness()
    harness.answersQueues = false
    harness.start()
    harness.send(.queueConnected(identifier: 0, controllerIdentifier: 7))
    #expect(harness.machine.state == .connectingIOQueues)
    harness.send(.shutdown)
    harness.send(.queueConnected(identifier: 1, controllerIdentifier: 7))
    #expect(harness.closedError == .some(nil) && !harness.reports.contains(.ready))
  }

  @Test(arguments: [0, 1] as [UInt16]) func lossAtRunTime(queue: UInt16) {
    let error = ControllerError.transport(queueIdentifier: queue, TransportError(.closedByPeer, "closed"))
    var harness = MachineHarness()
    harness.closesQueues = false
    harness.start()
    harness.clearReports()
    harness.send(.queueFailed(identifier: queue, error))
    #expect(harness.machine.state == .closing && harness.reports == [.closeQueues])
    // What comes meanwhile changes nothing; the first error counts.
    harness.send(.queueFailed(identifier: 1, .transport(queueIdentifier: 1, TransportError(.broken, "second"))))
    harness.send(.adminCompleted(tag: 1, CompletionQueueEntry(), data: []))
    harness.send(.shutdown)
    harness.send(.deadline)
    harness.send(.start)
    #expect(harness.reports == [.closeQueues] && harness.machine.nextDeadlineNanoseconds == nil)
    harness.send(.queuesClosed)
    #expect(harness.reports == [.closeQueues, .closed(error)])
    for event in [.start, .shutdown, .deadline, .queuesClosed] as [ControllerEvent] { harness.send(event) }
    #expect(harness.reports.count == 2)
  }

  @Test func unknownTagsAreIgnored() {
    var harness = MachineHarness()
    harness.start()
    harness.send(.adminCompleted(tag: 0xFFFF_FFFF, CompletionQueueEntry(status: .internalError), data: [1]))
    harness.send(.adminLost(tag: 77_777))
    harness.send(.queueConnected(identifier: 9, controllerIdentifier: 9))
    #expect(harness.machine.state == .ready)
  }

  @Test func adminTimeoutAtRunTime() {
    var harness = MachineHarness { $0.keepAliveTimeoutMilliseconds = 0 }
    harness.start()
    harness.override = { _, entry in entry.opcode == AdminOpcode.getLogPage.rawValue ? .hold : nil }
    harness.raise(.namespaceAttributeChanged)
    harness.pass(milliseconds: 59_999)
    #expect(harness.machine.state == .ready)
    harness.pass(milliseconds: 1)
    #expect(
      harness.closedError
        == .some(.adminTimeout(step: "reading the changed namespace list", milliseconds: 60_000)))
  }
}
