import NVMeProtocol
import Testing

@Suite struct LogPageTests {
  @Test func errorInformation() throws {
    let log = try ErrorInformationLog(decoding: Vector.errorInformation.bytes)
    #expect(log.encode() == Vector.errorInformation.bytes)
    #expect(log.entries.count == 2)
    let entry = log.entries[0]
    #expect(entry.errorCount == 5 && entry.commandIdentifier == 0x1234 && entry.lba == 4096)
    #expect(entry.status == StatusField(.generic, 0x02, more: true))
    #expect(entry.opcode == 2 && entry.transportType == 3 && entry.commandSpecific == 0x11)
  }

  @Test func smart() throws {
    let log = try SMARTHealthLog(decoding: Vector.smartHealth.bytes)
    #expect(log.encode() == Vector.smartHealth.bytes)
    #expect(log.criticalWarning == 1 && log.compositeTemperatureKelvin == 300 && log.percentageUsed == 3)
    #expect(log.dataUnitsRead == UInt128(1) << 64 + 1)
    #expect(log.dataUnitsWritten == 2 && log.hostReadCommands == 3 && log.hostWriteCommands == 4)
    #expect(log.controllerBusyMinutes == 5 && log.powerCycles == 6 && log.powerOnHours == 7)
    #expect(log.unsafeShutdowns == 8 && log.mediaErrors == 9 && log.errorLogEntries == 10)
    #expect(log.temperatureSensorsKelvin == [301, 302, 0, 0, 0, 0, 0, 308])
    #expect(log.thermalManagement2Seconds == 4)
  }

  /// Six spaces and a byte that is no text: what stands for it does not fit, and spaces alone are an empty slot.
  @Test func firmwareRevisionsThatAreCutToNothing() throws {
    var bytes = [UInt8](repeating: 0, count: 512)
    bytes.replaceSubrange(8..<15, with: [0x20, 0x20, 0x20, 0x20, 0x20, 0x20, 0xFF])
    let log = try FirmwareSlotLog(decoding: bytes)
    #expect(log.revisions[0] == "")
    #expect(log.encode() == [UInt8](repeating: 0, count: 512))
    #expect(try FirmwareSlotLog(decoding: log.encode()) == log)
  }

  @Test func firmware() throws {
    let log = try FirmwareSlotLog(decoding: Vector.firmwareSlot.bytes)
    #expect(log.encode() == Vector.firmwareSlot.bytes)
    #expect(log.revisions == ["1.0", "2.0beta1", "", "", "", "", ""])
    #expect(log.activeSlot == 1 && log.nextSlot == 2)
  }

  @Test func changedNamespaces() throws {
    let log = try ChangedNamespaceList(decoding: Vector.changedNamespaces.bytes)
    #expect(log.identifiers == [3, 1] && !log.isOverflowed)
    #expect(log.encode() == Vector.changedNamespaces.bytes)
    let overflowed = ChangedNamespaceList(isOverflowed: true)
    #expect(overflowed.encode().prefix(5) == [0xFF, 0xFF, 0xFF, 0xFF, 0])
    #expect(try ChangedNamespaceList(decoding: overflowed.encode()) == overflowed)
    #expect(ChangedNamespaceList(identifiers: Array(1...1025)).encode() == overflowed.encode())
  }

  @Test func effectsAndSupportedPages() throws {
    let effects = try CommandEffectsLog(decoding: Vector.commandEffects.bytes)
    #expect(effects.encode() == Vector.commandEffects.bytes)
    #expect(effects[admin: 0x06] == .supported)
    #expect(effects[admin: 0x80].contains([.supported, .logicalBlockContentChange, .controllerCapabilityChange]))
    #expect(effects[admin: 0x80].submissionAndExecution == 2)
    #expect(effects[io: 0x01] == [.supported, .logicalBlockContentChange])
    #expect(effects[io: 0x02].supportsUUIDSelection)
    let pages = try SupportedLogPages(decoding: Vector.supportedLogPages.bytes)
    #expect(pages.encode() == Vector.supportedLogPages.bytes)
    #expect(pages.supported == [.supportedLogPages, .smartHealth, .discovery])
    #expect(pages[.discovery] == 0x0007_0001)
  }

  @Test func ana() throws {
    let log = try ANALog(decoding: Vector.ana.bytes)
    #expect(log.encode() == Vector.ana.bytes)
    #expect(log.changeCount == 9)
    #expect(
      log.groups == [
        ANALog.Group(identifier: 1, state: .optimized, changeCount: 7, namespaceIdentifiers: [1, 5]),
        ANALog.Group(identifier: 2, state: .change, changeCount: 8),
      ])
    #expect(ANALog.byteCount(groupCount: 2, namespaceCount: 2) == Vector.ana.bytes.count)
    #expect(log.groups[0].state.isAccessible && !log.groups[1].state.isAccessible)
    // Every truncation, and counts beyond the buffer.
    for count in 0..<Vector.ana.bytes.count {
      #expect(throws: DecodingError.self) { try ANALog(decoding: Array(Vector.ana.bytes.prefix(count))) }
    }
    var hostile = Vector.ana.bytes
    hostile.replaceSubrange(20..<24, with: [0xFF, 0xFF, 0xFF, 0xFF])
    #expect(throws: DecodingError.self) { try ANALog(decoding: hostile) }
    hostile = Vector.ana.bytes
    hostile[9] = 0xFF
    #expect(throws: DecodingError.self) { try ANALog(decoding: hostile) }
  }

  @Test func discovery() throws {
    let header = try DiscoveryLogHeader(decoding: Vector.discoveryHeader.bytes)
    #expect(header.encode() == Vector.discoveryHeader.bytes)
    #expect(header.generationCounter == 0x0102_0304_0506_0708 && header.recordCount == 2)
    let entry = try DiscoveryLogEntry(decoding: Vector.discoveryEntry.bytes)
    #expect(entry.encode() == Vector.discoveryEntry.bytes)
    #expect(entry.transportType == .tcp && entry.addressFamily == .ipv6 && entry.subsystemType == .nvm)
    #expect(entry.portIdentifier == 1 && entry.controllerIdentifier == 0xFFFF && entry.adminQueueEntries == 128)
    #expect(entry.serviceIdentifier == "4420" && entry.transportAddress == "::1")
    #expect(entry.subsystemNQN == "nqn.2014-08.org:t")
    #expect(entry.tcpSecurityType == 2 && !entry.requiresSecureChannel && entry.supportsPersistentConnection)
    // Linux nvmet fills with zero bytes where the specification says spaces.
    var zeroFilled = Vector.discoveryEntry.bytes
    for index in 36..<64 { zeroFilled[index] = 0 }
    #expect(try DiscoveryLogEntry(decoding: zeroFilled).serviceIdentifier == "4420")
  }

  @Test func asynchronousEvents() {
    let event = AsynchronousEvent(rawValue: 0x000C_0302)
    #expect(event == .anaChange && event.logPage == .asymmetricNamespaceAccess)
    #expect(event.description == "Asymmetric Namespace Access Change, log page 0Ch")
    #expect(AsynchronousEvent(rawValue: 0x0004_0002).matches(.namespaceAttributeChanged))
    #expect(AsynchronousEvent(rawValue: 0x0070_F002) == .discoveryLogPageChange)
    #expect(AsynchronousEvent(rawValue: 0x0000_7707).description.contains("type 7, information 77h"))
  }
}
