import NVMeHost
import NVMeProtocol
import Testing

@Suite struct EventTests {
  static let geometry = IdentifyNamespace(blocks: 4096, dataSizeExponent: 9)

  @Test func namespacesAddedRemovedResized() throws {
    var harness = MachineHarness()
    harness.controller.namespaces[2] = Self.geometry
    harness.start()
    harness.clearReports()
    let old = harness.machine.namespaces

    harness.controller.namespaces[1] = nil
    harness.controller.namespaces[2] = IdentifyNamespace(blocks: 8192, dataSizeExponent: 9)
    harness.controller.namespaces[5] = Self.geometry
    harness.raise(.namespaceAttributeChanged)
    let new = harness.machine.namespaces
    #expect(
      harness.reports == [
        .namespacesChanged([
          .removed(try #require(old[1])), .changed(old: try #require(old[2]), new: try #require(new[2])),
          .added(try #require(new[5])),
        ])
      ])
    #expect(new[2]?.blockCount == 8192 && new.keys.sorted() == [2, 5])
    // The log is read with RAE clear (bit 15), which arms the event again; and a new request is sent.
    let log = try #require(harness.commands.first { $0.entry.opcode == AdminOpcode.getLogPage.rawValue })
    #expect(log.entry.cdw10 & 0xFF == 4 && log.entry.cdw10 & 1 << 15 == 0)
    #expect(harness.count(of: "Asynchronous Event Request") == 5)

    // Nothing new: nothing said.
    harness.clearReports()
    harness.raise(.namespaceAttributeChanged)
    #expect(harness.reports.isEmpty)
  }

  @Test func replacedUnderTheSameIdentifier() throws {
    var harness = Self.withUUID()
    let old = try #require(harness.machine.namespaces[1])
    harness.controller.uuids[1] = Identifier128(high: 2, low: 2)
    harness.raise(.namespaceAttributeChanged)
    let new = try #require(harness.machine.namespaces[1])
    #expect(harness.reports == [.namespacesChanged([.removed(old), .added(new)])])
  }

  @Test func eventsDuringAScanAreCoalesced() {
    var harness = MachineHarness()
    harness.start()
    // A scan that is held up at its list.
    harness.override = { _, entry in
      entry.opcode == AdminOpcode.identify.rawValue && entry.cdw10 & 0xFF == 2 ? .hold : nil
    }
    let before = harness.count(of: "Identify")
    for _ in 0..<10 { harness.raise(.namespaceAttributeChanged) }
    #expect(harness.count(of: "Identify") == before + 1)
    harness.override = nil
    harness.controller.namespaces[9] = Self.geometry
    harness.answerHeld("Identify", .data(NamespaceIdentifierList([1]).encode()))
    // The held scan (2 commands more), and one new one for all ten events: a list and twice two.
    #expect(harness.count(of: "Identify") == before + 1 + 2 + 5)
    #expect(harness.machine.namespaces.keys.sorted() == [1, 9])
  }

  @Test func logReadsDoNotPileUp() {
    var harness = MachineHarness()
    harness.start()
    harness.override = { _, entry in entry.opcode == AdminOpcode.getLogPage.rawValue ? .hold : nil }
    for _ in 0..<100 { harness.raise(.namespaceAttributeChanged) }
    #expect(harness.count(of: "Get Log Page") == 1)
    harness.override = nil
    harness.answerHeld("Get Log Page", .data(ChangedNamespaceList().encode()))
    #expect(harness.count(of: "Get Log Page") == 2)
  }

  @Test func failedRescanKeepsWhatWasKnown() {
    var harness = MachineHarness()
    harness.start()
    let before = harness.machine.namespaces
    harness.override = { _, entry in
      entry.opcode == AdminOpcode.identify.rawValue ? .status(.internalError) : nil
    }
    harness.raise(.namespaceAttributeChanged)
    #expect(harness.machine.state == .ready && harness.machine.namespaces == before)
    harness.override = nil
    harness.controller.namespaces[2] = Self.geometry
    harness.raise(.namespaceAttributeChanged)
    #expect(harness.machine.namespaces.keys.sorted() == [1, 2])
  }

  @Test func failedRescanIsMadeAgain() {
    var harness = MachineHarness()
    harness.start()
    harness.override = { _, entry in
      entry.opcode == AdminOpcode.identify.rawValue ? .status(.internalError) : nil
    }
    harness.controller.namespaces[2] = Self.geometry
    harness.raise(.namespaceAttributeChanged)
    let identified = harness.count(of: "Identify")
    // After 1, 2, 4, 8, 16, 32, 64 and then each 64 seconds: never given up, never a storm.
    harness.pass(milliseconds: 300_000)
    #expect(harness.count(of: "Identify") == identified + 9)
    #expect(harness.machine.state == .ready && harness.machine.namespaces.keys.sorted() == [1])
    harness.override = nil
    harness.clearReports()
    harness.pass(milliseconds: 64_000)
    #expect(harness.machine.namespaces.keys.sorted() == [1, 2])
    #expect(harness.reports.contains { if case .namespacesChanged = $0 { true } else { false } })
    // Done: no more scans.
    let done = harness.count(of: "Identify")
    harness.pass(milliseconds: 300_000)
    #expect(harness.count(of: "Identify") == done)
  }

  @Test func eventBeforeReadyIsNotLost() {
    var harness = MachineHarness()
    harness.answersQueues = false
    harness.start()
    harness.send(.queueConnected(identifier: 0, controllerIdentifier: 7))
    #expect(harness.machine.state == .connectingIOQueues)
    harness.controller.namespaces[2] = Self.geometry
    harness.raise(.namespaceAttributeChanged)
    harness.send(.queueConnected(identifier: 1, controllerIdentifier: 7))
    #expect(harness.machine.state == .ready)
    #expect(harness.machine.namespaces.keys.sorted() == [1, 2])
  }

  @Test func manyNamespaces() {
    var harness = MachineHarness { $0.keepAliveTimeoutMilliseconds = 0 }
    harness.controller.namespaces = [:]
    // Exactly full lists, so that a last empty one is needed, and gaps.
    for index in 1...2048 as ClosedRange<UInt32> { harness.controller.namespaces[index * 3] = Self.geometry }
    harness.start()
    #expect(harness.machine.namespaces.count == 2048)
    #expect(!harness.machine.isNamespaceListTruncated)
    let lists = harness.commands.filter {
      $0.entry.opcode == AdminOpcode.identify.rawValue && $0.entry.cdw10 & 0xFF == 2
    }
    #expect(lists.map(\.entry.namespaceIdentifier) == [0, 3072, 6144])
  }

  @Test func otherEvents() {
    var harness = MachineHarness()
    harness.start()
    harness.clearReports()
    let event = AsynchronousEvent(kind: .smartHealthStatus, information: 1, logPage: .smartHealth)
    harness.raise(event)
    #expect(harness.reports == [.asynchronousEvent(result: event.rawValue)])
    // Its page is read with RAE clear: others of its type are not told of before.
    #expect(Self.logReads(harness).map(\.entry.cdw10) == [15 << 16 | 0x02])
    // One page at a time, each once, and a refusal is the end of it.
    harness.override = { _, entry in entry.opcode == AdminOpcode.getLogPage.rawValue ? .hold : nil }
    for _ in 0..<20 {
      harness.raise(AsynchronousEvent(kind: .errorStatus, information: 4, logPage: .errorInformation))
      harness.raise(event)
    }
    #expect(Self.logReads(harness).count == 2)
    harness.override = nil
    harness.answerHeld("Get Log Page", .status(.invalidLogPage))
    #expect(Self.logReads(harness).dropFirst().map { $0.entry.cdw10 & 0xFF } == [1, 2, 1])
    #expect(harness.machine.state == .ready)
    // A refused request is not sent again: that would never end.
    let armed = harness.count(of: "Asynchronous Event Request")
    harness.answerHeld("Asynchronous Event Request", .status(.asynchronousEventRequestLimitExceeded))
    #expect(harness.count(of: "Asynchronous Event Request") == armed)
    #expect(harness.machine.state == .ready)
  }

  private static func logReads(_ harness: MachineHarness) -> [MachineHarness.Command] {
    harness.commands.filter { $0.entry.opcode == AdminOpcode.getLogPage.rawValue }
  }

  /// Whoever uses a namespace that is taken for gone loses it for good.
  @Test(arguments: [StatusField.namespaceNotReady, StatusField(.pathRelated, 0x00)], [0, 3] as [UInt32])
  func aNamespaceThatCannotBeReachedIsNotGone(status: StatusField, structure: UInt32) {
    var harness = Self.withUUID()
    let known = harness.machine.namespaces
    harness.override = { _, entry in
      entry.opcode == AdminOpcode.identify.rawValue && entry.cdw10 & 0xFF == structure ? .status(status) : nil
    }
    harness.raise(.namespaceAttributeChanged)
    #expect(harness.machine.namespaces == known && harness.reports.isEmpty)
    // It is looked for again, and found where it has become ready, or is there for the first time.
    harness.controller.namespaces[2] = Self.geometry
    harness.pass(milliseconds: 1000)
    #expect(harness.machine.namespaces == known)
    harness.override = nil
    harness.pass(milliseconds: 10_000)
    #expect(harness.machine.namespaces.keys.sorted() == [1, 2])
    let done = harness.count(of: "Identify")
    harness.pass(milliseconds: 300_000)
    #expect(harness.count(of: "Identify") == done)
  }

  /// Without its UUID it would be another one.
  @Test(arguments: [true, false]) func aNamespaceWhoseDescriptorsCannotBeReadStaysWhatItWas(isRefused: Bool) {
    var harness = Self.withUUID()
    let known = harness.machine.namespaces
    harness.override = { _, entry in
      guard entry.opcode == AdminOpcode.identify.rawValue, entry.cdw10 & 0xFF == 3 else { return nil }
      return isRefused
        ? .status(StatusField(.generic, 0x06, doNotRetry: true)) : .data([UInt8](repeating: 0xFF, count: 4096))
    }
    harness.raise(.namespaceAttributeChanged)
    #expect(harness.machine.namespaces == known && harness.reports.isEmpty)
  }

  /// Ready, with one namespace that is known by its UUID.
  private static func withUUID() -> MachineHarness {
    var harness = MachineHarness()
    harness.controller.uuids[1] = Identifier128(high: 1, low: 1)
    harness.start()
    harness.clearReports()
    return harness
  }

  static func withANA(_ change: (inout MachineHarness) -> Void = { _ in }) -> MachineHarness {
    var harness = MachineHarness()
    harness.controller.identify.multipathCapabilities = 1 << 3
    harness.controller.identify.anaGroupCount = 2
    harness.controller.ana = ANALog(
      changeCount: 1,
      groups: [
        ANALog.Group(identifier: 1, state: .optimized, namespaceIdentifiers: [1]),
        ANALog.Group(identifier: 2, state: .inaccessible),
      ])
    change(&harness)
    harness.start()
    return harness
  }

  @Test func anaChanges() {
    var harness = Self.withANA()
    #expect(harness.machine.state == .ready)
    #expect(harness.machine.anaState(ofGroup: 1) == .optimized)
    #expect(harness.machine.anaState(ofGroup: 2) == .inaccessible)
    harness.clearReports()
    harness.controller.ana.groups[0].state = .change
    harness.raise(.anaChange)
    #expect(harness.reports == [.anaChanged])
    #expect(harness.machine.anaState(ofGroup: 1) == .change)
    // While one is read, further changes ask for one more, not for many.
    harness.override = { _, entry in entry.opcode == AdminOpcode.getLogPage.rawValue ? .hold : nil }
    let before = harness.count(of: "Get Log Page")
    for _ in 0..<10 { harness.raise(.anaChange) }
    #expect(harness.count(of: "Get Log Page") == before + 1)
    harness.override = nil
    harness.controller.ana.groups[0].state = .nonOptimized
    harness.answerHeld("Get Log Page", .data(harness.controller.ana.encode() + [UInt8](repeating: 0, count: 8192)))
    #expect(harness.count(of: "Get Log Page") == before + 2)
    #expect(harness.machine.anaState(ofGroup: 1) == .nonOptimized)
  }

  @Test func longANALogIsReadPieceByPiece() throws {
    let harness = Self.withANA { harness in
      // MDTS 8 KiB, a log of 16 + 2 × 32 + 3,000 × 4 bytes.
      harness.controller.identify.maximumAllowedNamespaces = 3000
      harness.controller.identify.maximumDataTransferSize = 1
      harness.controller.ana.groups[1].namespaceIdentifiers = Array(2...3000)
    }
    #expect(harness.machine.state == .ready)
    let log = try #require(harness.machine.anaLog)
    #expect(log == harness.controller.ana)
    let reads = harness.commands.filter { $0.entry.opcode == AdminOpcode.getLogPage.rawValue }
    #expect(reads.map(\.dataInByteCount) == [8192, 3888, 16])
    #expect(reads.map(\.entry.cdw12) == [0, 8192, 0])
    // RAE on all but the last.
    #expect(reads.map { $0.entry.cdw10 & 1 << 15 != 0 } == [true, true, false])
  }

  /// Of a log that may be long and is not nothing is read beyond its end: SPDK's target refuses that, and would never be
  /// connected.
  @Test func anANALogIsReadToItsEnd() {
    var harness = Self.withANA { harness in
      harness.controller.identify.maximumAllowedNamespaces = 8192
      harness.controller.identify.maximumDataTransferSize = 1
    }
    #expect(harness.machine.state == .ready && harness.machine.anaLog == harness.controller.ana)
    #expect(Self.logReads(harness).map(\.dataInByteCount) == [8192, 16])
    // One that becomes shorter while it is read is read again.
    harness.controller.ana.groups[1].namespaceIdentifiers = Array(2...3000)
    harness.override = { _, entry in
      entry.opcode == AdminOpcode.getLogPage.rawValue && entry.cdw12 > 0 ? .hold : nil
    }
    harness.raise(.anaChange)
    harness.controller.ana.changeCount = 2
    harness.controller.ana.groups[1].namespaceIdentifiers = []
    harness.override = nil
    harness.answerHeld("Get Log Page")
    #expect(harness.machine.state == .ready && harness.machine.anaLog == harness.controller.ana)
  }

  /// A change between two pieces of a log has no event of its own while an earlier one has not been cleared.
  @Test func anANALogThatChangesBetweenItsPiecesIsReadAgain() {
    var harness = Self.withANA { harness in
      harness.controller.identify.maximumAllowedNamespaces = 3000
      harness.controller.identify.maximumDataTransferSize = 1
      harness.controller.ana.groups[1].namespaceIdentifiers = Array(2...3000)
    }
    let first = harness.count(of: "Get Log Page")
    harness.override = { _, entry in entry.opcode == AdminOpcode.getLogPage.rawValue ? .hold : nil }
    harness.raise(.anaChange)
    harness.answerHeld("Get Log Page")
    // The first group's descriptor is in the piece that has been read.
    harness.controller.ana.changeCount = 2
    harness.controller.ana.groups[0].state = .inaccessible
    harness.override = nil
    harness.answerHeld("Get Log Page")
    #expect(harness.machine.anaLog == harness.controller.ana)
    #expect(harness.count(of: "Get Log Page") == first + 6)
    // One that changes during each reading is given up, and tried again later.
    harness.override = { _, entry in
      guard entry.opcode == AdminOpcode.getLogPage.rawValue, entry.cdw12 == 0 else { return nil }
      return .data((0..<8192).map { _ in UInt8.random(in: 0...255) })
    }
    harness.raise(.anaChange)
    #expect(harness.count(of: "Get Log Page") == first + 6 + 8 * 3)
    #expect(harness.machine.state == .ready && harness.machine.anaLog == harness.controller.ana)
    harness.override = nil
    harness.controller.ana.groups[0].state = .nonOptimized
    harness.pass(milliseconds: 1000)
    #expect(harness.machine.anaLog == harness.controller.ana)
  }

  /// Linux nvmet and SPDK tell by an ANA change alone that a namespace has another ANAGRPID.
  @Test func aNamespaceThatMovesToAnotherANAGroupHasItsState() {
    var harness = Self.withANA()
    #expect(harness.machine.namespaces[1]?.anaGroupIdentifier == 1)
    harness.clearReports()
    harness.controller.ana.groups[0].namespaceIdentifiers = []
    harness.controller.ana.groups[1].namespaceIdentifiers = [1]
    harness.raise(.anaChange)
    #expect(harness.machine.namespaces[1]?.anaGroupIdentifier == 2 && harness.reports == [.anaChanged])
    // What only Identify tells sends us to the log, once; and what the log says stays.
    let before = harness.count(of: "Get Log Page")
    harness.controller.namespaces[1]?.anaGroupIdentifier = 1
    harness.raise(.namespaceAttributeChanged)
    #expect(harness.count(of: "Get Log Page") == before + 2)
    #expect(harness.machine.namespaces[1]?.anaGroupIdentifier == 2)
  }

  @Test func aNamespaceInANewANAGroupIsLookedForInTheLog() {
    var harness = Self.withANA()
    harness.controller.namespaces[2] = IdentifyNamespace(blocks: 2048, dataSizeExponent: 9)
    harness.controller.namespaces[2]?.anaGroupIdentifier = 3
    harness.controller.ana.groups.append(
      ANALog.Group(identifier: 3, state: .inaccessible, namespaceIdentifiers: [2]))
    harness.raise(.namespaceAttributeChanged)
    #expect(harness.machine.namespaces[2]?.anaGroupIdentifier == 3)
    #expect(harness.machine.anaState(ofGroup: 3) == .inaccessible)
  }

  /// The event is not told again before the log has been read: a path would stay inaccessible for ever.
  @Test func anANALogThatCannotBeReadIsReadAgain() {
    var harness = Self.withANA { $0.controller.ana.groups[0].state = .inaccessible }
    harness.controller.ana.groups[0].state = .optimized
    let first = harness.count(of: "Get Log Page")
    harness.override = { _, entry in
      entry.opcode == AdminOpcode.getLogPage.rawValue ? .status(.internalError) : nil
    }
    harness.raise(.anaChange)
    // After 1, 2, 4 seconds.
    harness.pass(milliseconds: 7000)
    #expect(harness.machine.state == .ready && harness.machine.anaState(ofGroup: 1) == .inaccessible)
    #expect(harness.count(of: "Get Log Page") == first + 4)
    harness.override = nil
    harness.clearReports()
    harness.pass(milliseconds: 8000)
    #expect(harness.machine.anaState(ofGroup: 1) == .optimized && harness.reports == [.anaChanged])
    harness.pass(milliseconds: 60_000)
    #expect(harness.count(of: "Get Log Page") == first + 5)
  }

  @Test func anaLogProblems() {
    var harness = Self.withANA { harness in
      harness.override = { _, entry in
        entry.opcode == AdminOpcode.getLogPage.rawValue ? .status(.invalidLogPage) : nil
      }
    }
    #expect(harness.closedError == .some(.refused(step: "reading the ANA log", .invalidLogPage)))
    harness = Self.withANA { harness in
      harness.override = { _, entry in
        entry.opcode == AdminOpcode.getLogPage.rawValue
          ? .data([UInt8](repeating: 0xFF, count: 8192)) : nil
      }
    }
    guard case .malformed? = harness.closedError ?? nil else {
      Issue.record("a malformed ANA log is accepted")
      return
    }
    // At run time what was known stays.
    harness = Self.withANA()
    harness.override = { _, entry in
      entry.opcode == AdminOpcode.getLogPage.rawValue ? .data([UInt8](repeating: 0xFF, count: 8192)) : nil
    }
    harness.raise(.anaChange)
    #expect(harness.machine.state == .ready && harness.machine.anaState(ofGroup: 2) == .inaccessible)
  }

  @Test func aNamespaceThatIsNotToldOfDoesNotKeepFromTheOthers() throws {
    var harness = MachineHarness()
    harness.controller.namespaces[2] = IdentifyNamespace(blocks: 100, dataSizeExponent: 9)
    let refusal: (Int, SubmissionQueueEntry) -> ScriptedController.Answer? = { _, entry in
      entry.opcode == AdminOpcode.identify.rawValue && entry.cdw10 & 0xFF == 0 && entry.namespaceIdentifier == 2
        ? .status(StatusField(.generic, 0x06, doNotRetry: true)) : nil
    }
    harness.override = refusal
    harness.start()
    #expect(harness.machine.state == .ready && harness.machine.namespaces[1]?.unusableReason == nil)
    #expect(harness.machine.namespaces[2]?.unusableReason?.contains("refused") == true)
    // One that was told of before stays as it was, and news of others comes.
    harness.override = nil
    harness.raise(.namespaceAttributeChanged)
    let known = try #require(harness.machine.namespaces[2])
    #expect(known.unusableReason == nil)
    harness.override = refusal
    harness.controller.namespaces[3] = IdentifyNamespace(blocks: 100, dataSizeExponent: 9)
    harness.raise(.namespaceAttributeChanged)
    #expect(harness.machine.namespaces[2] == known && harness.machine.namespaces[3] != nil)
  }

  @Test func aChangedNamespaceListThatCannotBeReadIsReadAgain() {
    var harness = MachineHarness()
    harness.start()
    harness.override = { _, entry in
      entry.opcode == AdminOpcode.getLogPage.rawValue ? .status(.internalError) : nil
    }
    harness.raise(.namespaceAttributeChanged)
    let first = harness.count(of: "Get Log Page")
    // After 1, 2 seconds.
    harness.pass(milliseconds: 3000)
    #expect(harness.count(of: "Get Log Page") == first + 2)
    harness.override = nil
    harness.pass(milliseconds: 60_000)
    #expect(harness.count(of: "Get Log Page") == first + 3 && harness.machine.state == .ready)
    // One that does not have it is not asked again.
    harness.override = { _, entry in
      entry.opcode == AdminOpcode.getLogPage.rawValue
        ? .status(StatusField(.commandSpecific, 0x09, doNotRetry: true)) : nil
    }
    harness.raise(.namespaceAttributeChanged)
    harness.pass(milliseconds: 60_000)
    #expect(harness.count(of: "Get Log Page") == first + 4)
  }

  @Test func oddNamespaces() throws {
    var harness = MachineHarness()
    harness.controller.namespaces = [
      1: IdentifyNamespace(blocks: 100, dataSizeExponent: 9),
      2: IdentifyNamespace(blocks: 100, dataSizeExponent: 3),
      3: IdentifyNamespace(blocks: .max, dataSizeExponent: 12),
      4: IdentifyNamespace(),
    ]
    harness.controller.namespaces[5] = IdentifyNamespace(blocks: 100, dataSizeExponent: 9)
    harness.controller.namespaces[5]?.formats[0].metadataBytes = 8
    harness.start()
    #expect(harness.machine.state == .ready)
    let found = harness.machine.namespaces
    #expect(found.keys.sorted() == [1, 2, 3, 5])
    #expect(found[1]?.unusableReason == nil)
    #expect(found[2]?.unusableReason?.contains("LBADS") == true)
    #expect(found[3]?.unusableReason?.contains("NSZE") == true)
    #expect(found[5]?.unusableReason?.contains("metadata") == true)
    // Hostile lists end the association rather than the scan in circles.
    harness = MachineHarness()
    harness.override = { _, entry in
      entry.opcode == AdminOpcode.identify.rawValue && entry.cdw10 & 0xFF == 2
        ? .data(NamespaceIdentifierList([2, 1]).encode()) : nil
    }
    harness.start()
    guard case .malformed? = harness.closedError ?? nil else {
      Issue.record("a descending list is accepted")
      return
    }
  }
}
