import NVMeHost
import NVMeProtocol
import Testing

@Suite struct InitialisationTests {
  @Test func sequence() {
    var harness = MachineHarness { $0.queueCount = 2 }
    harness.start()
    #expect(harness.machine.state == .ready)
    #expect(
      harness.commandNames == [
        "Property Get", "Property Get", "Property Set", "Property Get", "Identify", "Set Features", "Set Features",
        "Asynchronous Event Request", "Asynchronous Event Request", "Asynchronous Event Request",
        "Asynchronous Event Request", "Identify", "Identify", "Identify",
      ])
    #expect(
      harness.reports == [
        .connectQueue(identifier: 0, entries: 32, controllerIdentifier: 0xFFFF),
        .connectQueue(identifier: 1, entries: 129, controllerIdentifier: 7),
        .connectQueue(identifier: 2, entries: 129, controllerIdentifier: 7), .ready,
      ])
    // EN, CSS 110b as CAP offers the I/O command sets, IOSQES 6, IOCQES 4.
    #expect(harness.controller.configurationRegister == 0x0046_0061)
    #expect(harness.controller.configuredEvents == 0x900)
    #expect(harness.machine.controllerIdentifier == 7)
    #expect(harness.machine.version.description == "2.1")
    #expect(harness.machine.maximumInCapsuleByteCount == 8192)
    #expect(harness.machine.maximumTransferByteCount == nil)
    #expect(harness.machine.namespaces[1]?.blockCount == 2048)
    #expect(harness.machine.namespaces[1]?.blockByteCount == 512)
    #expect(harness.machine.queueCount == 2 && harness.machine.queueDepth == 128)
  }

  /// On the wire it would be another name: cut, or ended by its zero byte.
  @Test(arguments: ["", String(repeating: "x", count: 224), "nqn.2014-08.org:t\0x", "nqn.2014-08.org: t"])
  func `A name that is not allowed goes nowhere`(_ name: String) {
    for isHost in [false, true] {
      var harness = MachineHarness { if isHost { $0.hostNQN = name } else { $0.subsystemNQN = name } }
      harness.start()
      guard harness.isClosed, case .some(.invalidConfiguration(let problem)?) = harness.closedError else {
        Issue.record("\(harness.reports)")
        continue
      }
      #expect(problem.hasPrefix(isHost ? "the host NQN is not valid: it" : "the subsystem NQN is not valid: it"))
      #expect(harness.commandNames.isEmpty)
      #expect(!harness.reports.contains { if case .connectQueue = $0 { true } else { false } })
      #expect(ControllerError.invalidConfiguration(problem).isPermanent)
    }
  }

  @Test("the limits of commands without data are asked for where there are such commands, and may be refused")
  func commandSetLimits() {
    for isTold in [false, true] {
      var harness = MachineHarness { $0.queueCount = 1 }
      harness.controller.identify.optionalIOCommands = [.writeZeroes]
      var limits = NVMCommandSetController()
      limits.writeZeroesSizeLimit = 5
      limits.datasetManagementRangeSizeLimit = 4096
      if isTold { harness.controller.commandSetLimits = limits }
      harness.start()
      #expect(harness.machine.state == .ready)
      #expect(harness.commandNames.prefix(7).suffix(3) == ["Identify", "Identify", "Set Features"])
      #expect(harness.machine.commandSetLimits == (isTold ? limits : nil))
    }
  }

  @Test("a controller with retry delays is told that they are understood; it may refuse")
  func advancedCommandRetry() throws {
    for delays: [UInt16] in [[0, 0, 0], [0, 5, 0]] {
      for isRefused in [false, true] {
        var harness = MachineHarness { $0.queueCount = 1 }
        harness.controller.identify.commandRetryDelayTimes = delays
        func isHostBehavior(_ entry: SubmissionQueueEntry) -> Bool {
          entry.opcode == AdminOpcode.setFeatures.rawValue && entry.cdw10 & 0xFF == 0x16
        }
        harness.override = { _, entry in
          isHostBehavior(entry) ? isRefused ? .status(.invalidFieldInCommand) : .result(0) : nil
        }
        harness.start()
        #expect(harness.machine.state == .ready)
        let commands = harness.commands.filter { isHostBehavior($0.entry) }
        #expect(commands.count == (delays == [0, 0, 0] ? 0 : 1))
        for command in commands { #expect(command.dataOut == [1] + [UInt8](repeating: 0, count: 511)) }
      }
    }
  }

  /// Wished for, CAP.MQES + 1, MAXCMD, granted queues; queues and depth that come of it.
  @Test(arguments: [
    (4, 128, 1024, 0, 8, 4, 128), (4, 128, 1024, 0, 2, 2, 128), (1, 128, 128, 0, 8, 1, 127),
    (1, 128, 1024, 32, 8, 1, 32),
    (1, 1, 2, 0, 8, 1, 1), (0, 0, 1024, 0, 8, 1, 1), (70_000, 70_000, 65_536, 0, 3, 3, 4095), (-1, -1, 64, 0, 8, 1, 1),
  ])
  func negotiation(queues: Int, depth: Int, entries: Int, commands: UInt16, granted: Int, pairs: Int, result: Int) {
    var harness = MachineHarness {
      $0.queueCount = queues
      $0.queueDepth = depth
    }
    harness.controller.capabilities = ControllerCapabilities(maximumQueueEntries: entries, timeoutMilliseconds: 500)
    harness.controller.identify.maximumOutstandingCommands = commands
    harness.controller.grantedQueues = granted
    harness.start()
    #expect(harness.machine.state == .ready)
    #expect(harness.machine.queueCount == pairs)
    #expect(harness.machine.queueDepth == result)
    // Without CAP.CSS bit 6 the NVM command set alone is chosen.
    #expect(harness.controller.configurationRegister == 0x0046_0001)
  }

  @Test(arguments: [(0, 1), (1, 2), (3, 4), (255, 4)]) func eventRequests(limit: UInt8, armed: Int) {
    var harness = MachineHarness()
    harness.controller.identify.asynchronousEventRequestLimit = limit
    harness.start()
    #expect(harness.count(of: "Asynchronous Event Request") == armed)
  }

  @Test func eventsRefused() {
    // Nobody reads the page of a firmware activation, which would keep the controller from telling of other notices.
    var harness = MachineHarness()
    harness.controller.identify.optionalAsynchronousEvents = [.namespaceAttribute, .anaChange, .firmwareActivation]
    harness.start()
    #expect(harness.machine.state == .ready && harness.controller.configuredEvents == 0x900)
    #expect(harness.machine.configuredEvents == [.namespaceAttribute, .anaChange])
    // Refused: ready all the same, and nothing is relied upon.
    harness = MachineHarness()
    harness.controller.refusedEvents = .max
    harness.start()
    #expect(harness.machine.state == .ready && harness.machine.configuredEvents == [])
    // None offered: none asked for.
    harness = MachineHarness()
    harness.controller.identify.optionalAsynchronousEvents = []
    harness.start()
    #expect(harness.machine.state == .ready && harness.count(of: "Set Features") == 1)
  }

  @Test func largePages() {
    var harness = MachineHarness()
    harness.controller.setMinimumPageExponent(4)
    harness.start()
    #expect(ControllerConfigurationRegister(rawValue: harness.controller.configurationRegister).pageBytes == 65_536)
    #expect(harness.machine.state == .ready)
  }

  @Test func authenticationThatIsAskedForLate() {
    var harness = MachineHarness()
    harness.override = { _, _ in .status(.authenticationRequired) }
    harness.start()
    #expect(harness.closedError??.isPermanent == true)
  }

  @Test func waitsForReady() {
    var harness = MachineHarness()
    harness.controller.pollsUntilReady = 20
    harness.start()
    #expect(harness.machine.state == .waitingForReady)
    harness.pass(milliseconds: 100)
    #expect(harness.machine.state == .waitingForReady)
    harness.pass(milliseconds: 200)
    #expect(harness.machine.state == .ready)
  }

  @Test func neverReady() {
    var harness = MachineHarness()
    harness.controller.pollsUntilReady = nil
    harness.start()
    harness.pass(milliseconds: 4900)
    #expect(harness.machine.state == .waitingForReady)
    harness.pass(milliseconds: 200)
    #expect(harness.closedError == .some(.notReady(timeoutMilliseconds: 5000)))
  }

  @Test func fatal() {
    var harness = MachineHarness()
    harness.controller.fatal = true
    harness.start()
    #expect(harness.closedError == .some(.fatalStatus))
  }

  @Test(arguments: [(10_000, false), (10_000, true), (0, false)] as [(UInt32, Bool)])
  func withoutKeepAlive(keepAliveTimeoutMilliseconds: UInt32, isDiscovery: Bool) {
    var harness = MachineHarness {
      $0.keepAliveTimeoutMilliseconds = keepAliveTimeoutMilliseconds
      $0.isDiscovery = isDiscovery
    }
    harness.controller.identify.keepAliveSupport = 0
    if isDiscovery { harness.controller.identify.controllerType = 2 }
    harness.start()
    guard !isDiscovery && keepAliveTimeoutMilliseconds > 0 else {
      #expect(harness.machine.state == .ready)
      return
    }
    let problem = "it does not support keep alive (KAS is 0); to do without, connect with a keep alive time-out of 0"
    #expect(harness.closedError == .some(.unusable(problem)))
  }

  /// Every admin command of the sequence refused: by the optional ones the controller still comes up.
  @Test(arguments: Array(0..<14)) func refusals(position: Int) {
    var harness = MachineHarness()
    harness.override = { index, _ in index == position ? .status(.internalError) : nil }
    harness.start()
    // 6: events (tried without them), 7–10: event requests; 12 and 13: the namespace and its descriptors.
    let optional: Set<Int> = [6, 7, 8, 9, 10]
    if optional.contains(position) {
      #expect(harness.machine.state == .ready)
    } else {
      guard case .refused(_, .internalError)? = harness.closedError ?? nil else {
        Issue.record("position \(position): \(String(describing: harness.closedError))")
        return
      }
      #expect(harness.reports.suffix(2).first == .closeQueues)
    }
  }

  /// A controller from before NVMe 1.3 does without the descriptors, and says so.
  @Test(arguments: [StatusField.invalidFieldInCommand, StatusField(.generic, 0x06, doNotRetry: true)])
  func withoutDescriptors(status: StatusField) {
    var harness = MachineHarness()
    harness.controller.uuids[1] = Identifier128(high: 1, low: 1)
    harness.override = { index, _ in index == 13 ? .status(status) : nil }
    harness.start()
    #expect(harness.machine.state == .ready && harness.machine.namespaces[1]?.uuid.isZero == true)
  }

  /// A namespace that goes between the commands that identify it is not there: half of its identifiers would make it
  /// another one when it is back.
  @Test(arguments: [12, 13], [StatusField.invalidNamespaceOrFormat, .internalPathError, .namespaceNotReady])
  func aNamespaceGoesWhileItIsBeingIdentified(position: Int, status: StatusField) {
    var harness = MachineHarness()
    harness.controller.uuids[1] = Identifier128(high: 1, low: 1)
    harness.override = { index, _ in index == position ? .status(status) : nil }
    harness.start()
    #expect(harness.machine.state == .ready && harness.machine.namespaces.isEmpty)
    harness.override = nil
    harness.raise(.namespaceAttributeChanged)
    #expect(harness.machine.namespaces[1]?.uuid == Identifier128(high: 1, low: 1))
  }

  /// Every command of the sequence never answered.
  @Test(arguments: Array(0..<14)) func silence(position: Int) {
    var harness = MachineHarness { $0.keepAliveTimeoutMilliseconds = 0 }
    harness.override = { index, _ in index == position ? .hold : nil }
    harness.start()
    // Event requests wait for ever.
    if (7...10).contains(position) {
      #expect(harness.machine.state == .ready)
      return
    }
    #expect(!harness.isClosed)
    harness.pass(milliseconds: 61_000)
    switch harness.closedError ?? nil {
    case .adminTimeout(_, 60_000): break
    // CSTS was being waited for: CAP.TO comes first.
    case .notReady: #expect(position == 3)
    default: Issue.record("position \(position): \(String(describing: harness.closedError))")
    }
    #expect(harness.machine.nextDeadlineNanoseconds == nil)
  }

  @Test(arguments: [0, 1, 2] as [UInt16]) func queueFailures(queue: UInt16) {
    let error = ControllerError.transport(queueIdentifier: queue, TransportError(.connect, "refused"))
    var harness = MachineHarness { $0.queueCount = 2 }
    harness.queueError = { $0 == queue ? error : nil }
    harness.start()
    #expect(harness.closedError == .some(error))
    #expect(!harness.reports.contains(.ready))
  }

  @Test func unusable() {
    func error(_ change: (inout MachineHarness) -> Void) -> ControllerError? {
      var harness = MachineHarness()
      change(&harness)
      harness.start()
      return harness.closedError ?? nil
    }
    let cases: [(String, (inout MachineHarness) -> Void)] = [
      ("ICDOFF", { $0.controller.identify.inCapsuleDataOffset = 1 }),
      ("IOCCSZ", { $0.controller.identify.ioCommandCapsuleSize = 3 }),
      ("IORCSZ", { $0.controller.identify.ioResponseCapsuleSize = 0 }),
      ("SQES 77h", { $0.controller.identify.submissionQueueEntrySize = 0x77 }),
      ("SQES 55h", { $0.controller.identify.submissionQueueEntrySize = 0x55 }),
      ("SQES 0h", { $0.controller.identify.submissionQueueEntrySize = 0 }),
      ("CQES 55h", { $0.controller.identify.completionQueueEntrySize = 0x55 }),
      ("CQES 33h", { $0.controller.identify.completionQueueEntrySize = 0x33 }),
      ("SGLS 100000h", { $0.controller.identify.sglSupport = 1 << 20 }),
      ("SGLS 3h", { $0.controller.identify.sglSupport = 3 }),
      ("identifies as 8", { $0.controller.identify.controllerIdentifier = 8 }),
      ("discovery controller", { $0.controller.identify.controllerType = 2 }),
      ("MQES", { $0.controller.capabilities = ControllerCapabilities(rawValue: 0) }),
    ]
    for (text, change) in cases {
      guard case .unusable(let reason)? = error(change) else {
        Issue.record("\(text): not refused")
        continue
      }
      #expect(reason.contains(text))
    }
    guard
      case .malformed? = error({
        $0.override = { index, _ in index == 4 ? .data([UInt8](repeating: 0, count: 100)) : nil }
      })
    else {
      Issue.record("short identify data is not refused")
      return
    }
  }

  @Test(arguments: [(0x66, 0x44, 1), (0x96, 0x84, 2), (0x60, 0x40, 1)] as [(UInt8, UInt8, UInt32)])
  func entrySizesAndSGLs(_ submission: UInt8, _ completion: UInt8, _ sgls: UInt32) {
    var harness = MachineHarness()
    harness.controller.identify.submissionQueueEntrySize = submission
    harness.controller.identify.completionQueueEntrySize = completion
    harness.controller.identify.sglSupport = sgls
    harness.start()
    #expect(harness.machine.state == .ready)
  }

  @Test func discovery() {
    var harness = MachineHarness {
      $0.isDiscovery = true
      $0.subsystemNQN = NVMeQualifiedName.discovery
    }
    harness.controller.identify.controllerType = 2
    harness.controller.identify.optionalAsynchronousEvents = .discoveryLogPageChange
    harness.controller.identify.ioCommandCapsuleSize = 0
    // Without I/O queues, their entries have no size.
    harness.controller.identify.submissionQueueEntrySize = 0
    harness.controller.identify.completionQueueEntrySize = 0
    harness.start()
    #expect(harness.machine.state == .ready)
    #expect(harness.controller.configuredEvents == 1 << 31)
    #expect(harness.reports == [.connectQueue(identifier: 0, entries: 32, controllerIdentifier: 0xFFFF), .ready])
    harness.clearReports()
    harness.raise(.discoveryLogPageChange)
    #expect(harness.reports == [.discoveryLogChanged])
    // Armed again.
    #expect(harness.count(of: "Asynchronous Event Request") == 5)
  }

  @Test func connectRefusals() {
    func text(_ status: StatusField, _ result: UInt32 = 0) -> String {
      ControllerError.connectRefused(
        queueIdentifier: 0, status, result: result, subsystemNQN: "nqn.s", hostNQN: "nqn.h"
      ).description
    }
    #expect(text(.connectInvalidHost).contains("host NQN nqn.h is not allowed"))
    #expect(text(.connectInvalidParameters, 0x1_0100).contains("knows no such subsystem"))
    #expect(text(.connectInvalidParameters, 0x1_0010).contains("CNTLID"))
    #expect(text(.connectInvalidParameters, 0x1_0200).contains("nqn.h"))
    #expect(text(.connectInvalidParameters, 0x0_002C).contains("command byte 44"))
    #expect(text(.connectControllerBusy).contains("busy"))
    #expect(text(.authenticationRequired).contains("authentication"))
    #expect(text(.internalError).contains("Internal Error"))
  }
}
