extension AdminOpcode {
  /// The command's name as the specification writes it.
  public var name: String {
    switch self {
    case .deleteIOSubmissionQueue: "Delete I/O Submission Queue"
    case .createIOSubmissionQueue: "Create I/O Submission Queue"
    case .getLogPage: "Get Log Page"
    case .deleteIOCompletionQueue: "Delete I/O Completion Queue"
    case .createIOCompletionQueue: "Create I/O Completion Queue"
    case .identify: "Identify"
    case .abort: "Abort"
    case .setFeatures: "Set Features"
    case .getFeatures: "Get Features"
    case .asynchronousEventRequest: "Asynchronous Event Request"
    case .namespaceManagement: "Namespace Management"
    case .firmwareCommit: "Firmware Commit"
    case .firmwareImageDownload: "Firmware Image Download"
    case .deviceSelfTest: "Device Self-test"
    case .namespaceAttachment: "Namespace Attachment"
    case .keepAlive: "Keep Alive"
    case .directiveSend: "Directive Send"
    case .directiveReceive: "Directive Receive"
    case .virtualizationManagement: "Virtualization Management"
    case .nvmeMISend: "NVMe-MI Send"
    case .nvmeMIReceive: "NVMe-MI Receive"
    case .capacityManagement: "Capacity Management"
    case .discoveryInformationManagement: "Discovery Information Management"
    case .fabricZoningReceive: "Fabric Zoning Receive"
    case .lockdown: "Lockdown"
    case .fabricZoningLookup: "Fabric Zoning Lookup"
    case .clearExportedNVMResourceConfiguration: "Clear Exported NVM Resource Configuration"
    case .fabricZoningSend: "Fabric Zoning Send"
    case .createExportedNVMSubsystem: "Create Exported NVM Subsystem"
    case .manageExportedNVMSubsystem: "Manage Exported NVM Subsystem"
    case .manageExportedNamespace: "Manage Exported Namespace"
    case .manageExportedPort: "Manage Exported Port"
    case .sendDiscoveryLogPage: "Send Discovery Log Page"
    case .trackSend: "Track Send"
    case .trackReceive: "Track Receive"
    case .migrationSend: "Migration Send"
    case .migrationReceive: "Migration Receive"
    case .controllerDataQueue: "Controller Data Queue"
    case .doorbellBufferConfig: "Doorbell Buffer Config"
    case .fabrics: "Fabrics"
    case .formatNVM: "Format NVM"
    case .securitySend: "Security Send"
    case .securityReceive: "Security Receive"
    case .sanitize: "Sanitize"
    case .loadProgram: "Load Program"
    case .getLBAStatus: "Get LBA Status"
    case .programActivationManagement: "Program Activation Management"
    case .memoryRangeSetManagement: "Memory Range Set Management"
    }
  }
}

extension IOOpcode {
  /// The command's name as the specification writes it.
  public var name: String {
    switch self {
    case .flush: "Flush"
    case .write: "Write"
    case .read: "Read"
    case .writeUncorrectable: "Write Uncorrectable"
    case .compare: "Compare"
    case .writeZeroes: "Write Zeroes"
    case .datasetManagement: "Dataset Management"
    case .verify: "Verify"
    case .reservationRegister: "Reservation Register"
    case .reservationReport: "Reservation Report"
    case .reservationAcquire: "Reservation Acquire"
    case .ioManagementReceive: "I/O Management Receive"
    case .reservationRelease: "Reservation Release"
    case .cancel: "Cancel"
    case .copy: "Copy"
    case .ioManagementSend: "I/O Management Send"
    case .zoneManagementSend: "Zone Management Send"
    case .zoneManagementReceive: "Zone Management Receive"
    case .zoneAppend: "Zone Append"
    case .fabrics: "Fabrics"
    }
  }
}

extension FabricsCommandType {
  /// The command's name as the specification writes it.
  public var name: String {
    switch self {
    case .propertySet: "Property Set"
    case .connect: "Connect"
    case .propertyGet: "Property Get"
    case .authenticationSend: "Authentication Send"
    case .authenticationReceive: "Authentication Receive"
    case .disconnect: "Disconnect"
    }
  }
}

extension SubmissionQueueEntry {
  /// The command's name for messages. Admin and I/O opcodes overlap, so the queue has to be told.
  public func commandName(onAdminQueue: Bool) -> String {
    if opcode == AdminOpcode.fabrics.rawValue {
      let type = UInt8(truncatingIfNeeded: namespaceIdentifier)
      return FabricsCommandType(rawValue: type)?.name ?? "Fabrics command type \(hexadecimal(type))"
    }
    let name = onAdminQueue ? AdminOpcode(rawValue: opcode)?.name : IOOpcode(rawValue: opcode)?.name
    return name ?? "\(onAdminQueue ? "admin" : "I/O") command \(hexadecimal(opcode))"
  }
}
