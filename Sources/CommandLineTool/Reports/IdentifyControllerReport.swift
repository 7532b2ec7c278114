import BlockDevice
import JSON

/// Identify Controller as `nvme id-ctrl` shows it (fields: NVMe Base 2.1, figure 312).
enum IdentifyControllerReport {
  /// - Parameter minimumPageBytes: of CAP.MPSMIN, to say what MDTS means.
  static func make(_ controller: IdentifyController, minimumPageBytes: Int = 4096) -> StructureReport {
    var report = StructureReport(title: "NVME Identify Controller:")
    addIdentity(controller, minimumPageBytes, to: &report)
    addAdmin(controller, to: &report)
    addIO(controller, to: &report)
    addFabrics(controller, to: &report)
    addPowerStates(controller, to: &report)
    return report
  }

  private static func addIdentity(
    _ controller: IdentifyController, _ minimumPageBytes: Int, to report: inout StructureReport
  ) {
    report.add(hex: "vid", controller.vendorIdentifier)
    report.add(hex: "ssvid", controller.subsystemVendorIdentifier)
    report.add(text: "sn", controller.serialNumber)
    report.add(text: "mn", controller.modelNumber)
    report.add(text: "fr", controller.firmwareRevision)
    report.add(decimal: "rab", controller.recommendedArbitrationBurst)
    report.add(
      "ieee", controller.ieeeOUI.hexadecimal(digits: 6), json: .integer(controller.ieeeOUI))
    report.add(hex: "cmic", controller.multipathCapabilities, bits: ControllerBits.multipath)
    let limit = controller.maximumDataTransferBytes(minimumPageBytes: minimumPageBytes)
    report.add(
      decimal: "mdts", controller.maximumDataTransferSize,
      note: limit.map { ByteText.binary(UInt64($0)) } ?? "no limit")
    report.add(hex: "cntlid", controller.controllerIdentifier)
    report.add(hex: "ver", controller.version.rawValue, note: "NVMe \(controller.version)")
    report.add(hex: "rtd3r", controller.rtd3ResumeLatencyMicroseconds)
    report.add(hex: "rtd3e", controller.rtd3EntryLatencyMicroseconds)
    report.add(
      hex: "oaes", controller.optionalAsynchronousEvents.rawValue, bits: ControllerBits.asynchronousEvents)
    report.add(hex: "ctratt", controller.controllerAttributes, bits: ControllerBits.attributes)
    report.add(hex: "rrls", controller.readRecoveryLevels)
    report.add(decimal: "cntrltype", controller.controllerType, bits: ControllerBits.type)
    report.add(text: "fguid", controller.fieldReplaceableUnitIdentifier.uuidString)
    for (index, time) in controller.commandRetryDelayTimes.enumerated() {
      report.add(decimal: "crdt\(index + 1)", time, note: time == 0 ? nil : "\(UInt32(time) * 100) ms")
    }
    report.add(decimal: "nvmsr", controller.subsystemReport)
    report.add(decimal: "vwci", controller.vpdWriteCycleInformation)
    report.add(decimal: "mec", controller.managementEndpointCapabilities)
  }

  private static func addAdmin(_ controller: IdentifyController, to report: inout StructureReport) {
    report.add(hex: "oacs", controller.optionalAdminCommands, bits: ControllerBits.adminCommands)
    report.add(decimal: "acl", controller.abortCommandLimit)
    report.add(decimal: "aerl", controller.asynchronousEventRequestLimit)
    report.add(hex: "frmw", controller.firmwareUpdates, bits: ControllerBits.firmware)
    report.add(hex: "lpa", controller.logPageAttributes, bits: ControllerBits.logPages)
    report.add(decimal: "elpe", controller.errorLogPageEntries)
    report.add(decimal: "npss", controller.powerStateCount)
    report.add(hex: "avscc", controller.adminVendorSpecificCommands)
    report.add(hex: "apsta", controller.autonomousPowerStateTransitions)
    report.add(
      decimal: "wctemp", controller.warningCompositeTemperatureKelvin,
      note: temperature(controller.warningCompositeTemperatureKelvin))
    report.add(
      decimal: "cctemp", controller.criticalCompositeTemperatureKelvin,
      note: temperature(controller.criticalCompositeTemperatureKelvin))
    report.add(decimal: "mtfa", controller.maximumTimeForFirmwareActivation)
    report.add(decimal: "hmpre", controller.hostMemoryBufferPreferredSize)
    report.add(decimal: "hmmin", controller.hostMemoryBufferMinimumSize)
    report.add(decimal: "tnvmcap", controller.totalCapacityBytes)
    report.add(decimal: "unvmcap", controller.unallocatedCapacityBytes)
    report.add(hex: "rpmbs", controller.replayProtectedMemoryBlock)
    report.add(decimal: "edstt", controller.extendedSelfTestMinutes)
    report.add(decimal: "dsto", controller.deviceSelfTestOptions)
    report.add(decimal: "fwug", controller.firmwareUpdateGranularity)
    report.add(
      decimal: "kas", controller.keepAliveSupport,
      note: controller.keepAliveSupport == 0
        ? "keep alive not supported" : "granularity \(controller.keepAliveGranularityMilliseconds) ms")
    report.add(hex: "hctma", controller.hostControlledThermalManagement)
    report.add(decimal: "mntmt", controller.minimumThermalManagementKelvin)
    report.add(decimal: "mxtmt", controller.maximumThermalManagementKelvin)
    report.add(hex: "sanicap", controller.sanitizeCapabilities, bits: ControllerBits.sanitize)
    report.add(decimal: "nsetidmax", controller.maximumNVMSetIdentifier)
    report.add(decimal: "endgidmax", controller.maximumEnduranceGroupIdentifier)
    report.add(decimal: "anatt", controller.anaTransitionTimeSeconds)
    report.add(hex: "anacap", controller.anaCapabilities, bits: ControllerBits.ana)
    report.add(decimal: "anagrpmax", controller.anaGroupIdentifierMaximum)
    report.add(decimal: "nanagrpid", controller.anaGroupCount)
    report.add(decimal: "pels", controller.persistentEventLogSize)
    report.add(decimal: "domainid", controller.domainIdentifier)
    report.add(decimal: "megcap", controller.maximumEnduranceGroupCapacityBytes)
    report.add(decimal: "cqt", controller.commandQuiesceTimeMilliseconds)
  }

  private static func addIO(_ controller: IdentifyController, to report: inout StructureReport) {
    report.add(hex: "sqes", controller.submissionQueueEntrySize, bits: ControllerBits.entrySize)
    report.add(hex: "cqes", controller.completionQueueEntrySize, bits: ControllerBits.entrySize)
    report.add(decimal: "maxcmd", controller.maximumOutstandingCommands)
    report.add(decimal: "nn", controller.namespaceCount)
    report.add(hex: "oncs", controller.optionalIOCommands.rawValue, bits: ControllerBits.ioCommands)
    report.add(hex: "fuses", controller.fusedOperations, bits: [.support(0, "Fused Compare and Write")])
    report.add(hex: "fna", controller.formatAttributes, bits: ControllerBits.format)
    report.add(hex: "vwc", controller.volatileWriteCache, bits: ControllerBits.writeCache)
    report.add(decimal: "awun", controller.atomicWriteUnitNormal)
    report.add(decimal: "awupf", controller.atomicWriteUnitPowerFail)
    report.add(decimal: "icsvscc", controller.ioVendorSpecificCommands)
    report.add(hex: "nwpc", controller.namespaceWriteProtection, bits: ControllerBits.writeProtection)
    report.add(decimal: "acwu", controller.atomicCompareAndWriteUnit)
    report.add(hex: "ocfs", controller.copyDescriptorFormats)
    report.add(hex: "sgls", controller.sglSupport, bits: ControllerBits.sgl)
    report.add(decimal: "mnan", controller.maximumAllowedNamespaces)
    report.add(decimal: "maxdna", controller.maximumDomainNamespaceAttachments)
    report.add(decimal: "maxcna", controller.maximumControllerNamespaceAttachments)
    report.add(text: "subnqn", controller.subsystemNQN)
  }

  private static func addFabrics(_ controller: IdentifyController, to report: inout StructureReport) {
    report.add(
      decimal: "ioccsz", controller.ioCommandCapsuleSize,
      note: "\(UInt64(controller.ioCommandCapsuleSize) * 16) bytes, \(controller.maximumInCapsuleDataBytes) of data")
    report.add(
      decimal: "iorcsz", controller.ioResponseCapsuleSize,
      note: "\(UInt64(controller.ioResponseCapsuleSize) * 16) bytes")
    report.add(decimal: "icdoff", controller.inCapsuleDataOffset)
    report.add(
      hex: "fcatt", controller.fabricsControllerAttributes,
      bits: [.bit(0, "Static controller model", unset: "Dynamic controller model")])
    report.add(decimal: "msdbd", controller.maximumSGLDataBlockDescriptors)
    report.add(hex: "ofcs", controller.optionalFabricsCommands, bits: [.support(0, "Disconnect command")])
    report.add(decimal: "dctype", controller.discoveryControllerType)
  }

  private static func addPowerStates(_ controller: IdentifyController, to report: inout StructureReport) {
    var members: [JSONValue] = []
    for (index, state) in controller.powerStates.enumerated() {
      let name = "ps".padded(to: 7) + String(index).leftPadded(to: 2)
      let isOperational = state.flags & 2 == 0
      report.trailer.append(
        "\(name) : mp:\(power(state)) \(isOperational ? "operational" : "non-operational") "
          + "enlat:\(state.entryLatencyMicroseconds) exlat:\(state.exitLatencyMicroseconds) "
          + "rrt:\(state.relativeReadThroughput) rrl:\(state.relativeReadLatency) "
          + "rwt:\(state.relativeWriteThroughput) rwl:\(state.relativeWriteLatency)")
      members.append([
        "max_power": .integer(state.maximumPower), "max_power_scale": .integer(state.flags & 1),
        "non-operational_state": .integer(state.flags >> 1 & 1),
        "entry_lat": .integer(state.entryLatencyMicroseconds), "exit_lat": .integer(state.exitLatencyMicroseconds),
        "read_tput": .integer(state.relativeReadThroughput), "read_lat": .integer(state.relativeReadLatency),
        "write_tput": .integer(state.relativeWriteThroughput), "write_lat": .integer(state.relativeWriteLatency),
        "idle_power": .integer(state.idlePower), "idle_scale": .integer(state.idlePowerScale >> 6),
        "active_power": .integer(state.activePower),
        "active_power_work": .integer(state.activePowerWorkloadAndScale & 0b111),
        "active_scale": .integer(state.activePowerWorkloadAndScale >> 6),
      ])
    }
    report.extraMembers["psds"] = .array(members)
  }

  /// MP is in units of 0.01 W, or 0.0001 W with MXPS set.
  private static func power(_ state: PowerStateDescriptor) -> String {
    state.flags & 1 != 0
      ? ByteText.fixed(Double(state.maximumPower) / 10_000, 4) + "W"
      : ByteText.fixed(Double(state.maximumPower) / 100, 2) + "W"
  }

  private static func temperature(_ kelvin: UInt16) -> String? {
    kelvin == 0 ? nil : "\(Int(kelvin) - 273) °C"
  }
}
