import Foundation
import JSON
import NVMeProtocol
import Testing

@testable import CommandLineTool

@Suite struct LogAndFeatureReportTests {
  @Test func discovery() throws {
    var referral = Golden.discoveryEntry()
    referral.transportType = .rdma
    referral.subsystemType = .referral
    let entries = [Golden.discoveryEntry(), referral]
    #expect(
      DiscoveryReport.text(generationCounter: 7, entries: entries) == """

        Discovery Log Number of Records 2, Generation counter 7
        =====Discovery Log Entry 0======
        trtype:  tcp
        adrfam:  ipv4
        subtype: nvme subsystem
        treq:    not specified, sq flow control disable supported
        portid:  1
        trsvcid: 4420
        subnqn:  nqn.2014-08.org.example:golden
        traddr:  192.0.2.1
        eflags:  none
        sectype: none
        =====Discovery Log Entry 1======
        trtype:  rdma
        adrfam:  ipv4
        subtype: discovery subsystem referral
        treq:    not specified, sq flow control disable supported
        portid:  1
        trsvcid: 4420
        subnqn:  nqn.2014-08.org.example:golden
        traddr:  192.0.2.1
        eflags:  none
        """)
    let json = DiscoveryReport.json(generationCounter: 7, entries: entries)
    #expect(json["genctr"] == .integer(7))
    guard case .array(let records)? = json["records"] else {
      Issue.record("no records")
      return
    }
    #expect(records[0]["traddr"] == "192.0.2.1")
    #expect(records[0]["sectype"] == "none")
    #expect(records[1]["trtype"] == "rdma")
    #expect(records[1]["sectype"] == nil)
  }

  @Test func smart() throws {
    var log = SMARTHealthLog()
    log.criticalWarning = 4
    log.compositeTemperatureKelvin = 300
    log.dataUnitsRead = 2000
    log.powerOnHours = 12
    log.temperatureSensorsKelvin[1] = 310
    let report = try #require(
      try LogPageReport.make(.smartHealth, data: log.encode(), device: "d", isHuman: true))
    // nvme-cli's names.
    for name in ["avail_spare", "percent_used", "endurance_grp_critical_warning_summary", "critical_comp_time"] {
      #expect(report.json[name] != nil, "\(name)")
    }
    #expect(report.text.contains("temperature                              : 27 °C (300 K)"))
    #expect(report.text.contains("Data Units Read                          : 2000 (1.02 GB)"))
    #expect(report.text.contains("  [2:2] : 0x1\tReliability is degraded"))
    #expect(report.text.contains("Temperature Sensor 2                     : 37 °C (310 K)"))
    #expect(report.json["temperature"] == .integer(300))
    #expect(report.json["data_units_read"] == .integer(2000))
    #expect(report.json["temperature_sensor_2"] == .integer(310))
    #expect(report.json["temperature_sensor_1"] == nil)
  }

  @Test func asymmetricNamespaceAccess() throws {
    let log = ANALog(
      changeCount: 3,
      groups: [ANALog.Group(identifier: 2, state: .inaccessible, changeCount: 1, namespaceIdentifiers: [1, 4])])
    let report = try #require(
      try LogPageReport.make(.asymmetricNamespaceAccess, data: log.encode(), device: "d", isHuman: false))
    #expect(report.text.contains("state\t:\tinaccessible\n\tnsid\t:\t1\n\tnsid\t:\t4"))
    guard case .array(let groups)? = report.json["groups"] else {
      Issue.record("no groups")
      return
    }
    #expect(groups[0]["nsids"] == [.integer(1), .integer(4)])
  }

  @Test func errorsFirmwareEffectsAndLists() throws {
    var entry = ErrorInformationEntry()
    entry.errorCount = 5
    entry.statusAndPhase = 0x81 << 1
    let errors = try #require(
      try LogPageReport.make(
        .errorInformation, data: ErrorInformationLog(entries: [entry, ErrorInformationEntry()]).encode(), device: "d",
        isHuman: false))
    #expect(errors.text.contains("entries:2, of which 1 are used"))
    #expect(errors.text.contains("status_field    : 0x81 (Capacity Exceeded)"))
    #expect(!errors.text.contains("Entry[ 1]"))

    var firmware = FirmwareSlotLog()
    firmware.activeFirmwareInformation = 0x21
    firmware.revisions[1] = "2.0"
    let slots = try #require(
      try LogPageReport.make(.firmwareSlot, data: firmware.encode(), device: "d", isHuman: false))
    #expect(slots.text.hasSuffix("afi  : 0x21\nfrs2 : 2.0"))
    #expect(slots.json["next_slot"] == .integer(2))

    var effects = CommandEffectsLog()
    effects[io: 1] = [.supported, .logicalBlockContentChange]
    let commands = try #require(
      try LogPageReport.make(.commandsSupportedAndEffects, data: effects.encode(), device: "d", isHuman: true))
    #expect(
      commands.text.contains("IOCS1   [Write                             ] 0x00000003  supported, changes blocks"))

    let changed = try #require(
      try LogPageReport.make(
        .changedNamespaceList, data: ChangedNamespaceList(identifiers: [1, 0x20]).encode(), device: "d",
        isHuman: false))
    #expect(changed.text == "[   0]:0x1\n[   1]:0x20")
    let unknown = try LogPageReport.make(.persistentEvent, data: [0, 1], device: "d", isHuman: false)
    #expect(unknown == nil)
  }

  @Test func shortPagesAreRefused() {
    #expect(throws: NVMeProtocol.DecodingError.self) {
      _ = try LogPageReport.make(.smartHealth, data: [1, 2, 3], device: "d", isHuman: false)
    }
  }

  @Test func features() {
    #expect(
      FeatureReport.text(.numberOfQueues, select: .current, value: 0x0007_0007, data: [], isHuman: true) == """
        get-feature:0x07 (Number of Queues), Current value:0x00070007
        	Number of I/O Completion Queues Allocated (NCQA): 8
        	Number of I/O Submission Queues Allocated (NSQA): 8
        """)
    #expect(
      FeatureReport.text(.keepAliveTimer, select: .supportedCapabilities, value: 4, data: [], isHuman: true) == """
        get-feature:0x0f (Keep Alive Timer), capabilities:0x00000004
        	Feature is changeable: yes
        	Feature is namespace specific: no
        	Feature is saveable: no
        """)
    let json = FeatureReport.json(.volatileWriteCache, select: .current, value: 1, data: [0xAB])
    #expect(json["value"] == .integer(1))
    #expect(json["data"] == "ab")
    #expect(json["details"]?["Volatile Write Cache Enable (WCE)"] == "enabled")
  }

  @Test func list() {
    let row = NamespaceListReport.Row(
      uri: "nvme+tcp://192.0.2.1:4420/nqn?nsid=1", subsystemNQN: "nqn", serialNumber: "S", modelNumber: "M",
      firmwareRevision: "1", namespaceIdentifier: 1, blockByteCount: 4096, blockCount: 1 << 18,
      usedBlockCount: 1 << 17, isWriteProtected: true, anaState: "inaccessible", unusableReason: nil)
    #expect(
      NamespaceListReport.text([row]) == """
        Node                                 SN Model Namespace Usage            Format      FW Rev
        ------------------------------------ -- ----- --------- ---------------- ----------- ------
        nvme+tcp://192.0.2.1:4420/nqn?nsid=1 S  M     0x1       537 MB / 1.07 GB 4 KiB + 0 B 1
        nvme+tcp://192.0.2.1:4420/nqn?nsid=1: ANA state inaccessible
        nvme+tcp://192.0.2.1:4420/nqn?nsid=1: write protected
        """)
    guard case .array(let devices)? = NamespaceListReport.json([row])["Devices"] else {
      Issue.record("no devices")
      return
    }
    #expect(devices[0]["PhysicalSize"] == .integer(1 << 30))
    #expect(devices[0]["SectorSize"] == .integer(4096))
  }
}
