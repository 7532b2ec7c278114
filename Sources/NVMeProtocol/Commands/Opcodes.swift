/// Admin command opcodes (NVMe Base 2.1, figure 141).
public enum AdminOpcode: UInt8, Sendable, CaseIterable {
  case deleteIOSubmissionQueue = 0x00
  case createIOSubmissionQueue = 0x01
  case getLogPage = 0x02
  case deleteIOCompletionQueue = 0x04
  case createIOCompletionQueue = 0x05
  case identify = 0x06
  case abort = 0x08
  case setFeatures = 0x09
  case getFeatures = 0x0A
  case asynchronousEventRequest = 0x0C
  case namespaceManagement = 0x0D
  case firmwareCommit = 0x10
  case firmwareImageDownload = 0x11
  case deviceSelfTest = 0x14
  case namespaceAttachment = 0x15
  case keepAlive = 0x18
  case directiveSend = 0x19
  case directiveReceive = 0x1A
  case virtualizationManagement = 0x1C
  case nvmeMISend = 0x1D
  case nvmeMIReceive = 0x1E
  case capacityManagement = 0x20
  case discoveryInformationManagement = 0x21
  case fabricZoningReceive = 0x22
  case lockdown = 0x24
  case fabricZoningLookup = 0x25
  case clearExportedNVMResourceConfiguration = 0x28
  case fabricZoningSend = 0x29
  case createExportedNVMSubsystem = 0x2A
  case manageExportedNVMSubsystem = 0x2D
  case manageExportedNamespace = 0x31
  case manageExportedPort = 0x35
  case sendDiscoveryLogPage = 0x39
  case trackSend = 0x3D
  case trackReceive = 0x3E
  case migrationSend = 0x41
  case migrationReceive = 0x42
  case controllerDataQueue = 0x45
  case doorbellBufferConfig = 0x7C
  case fabrics = 0x7F
  case formatNVM = 0x80
  case securitySend = 0x81
  case securityReceive = 0x82
  case sanitize = 0x84
  case loadProgram = 0x85
  case getLBAStatus = 0x86
  case programActivationManagement = 0x88
  case memoryRangeSetManagement = 0x89
}

/// I/O command opcodes of the NVM Command Set (NVM Command Set 1.1) and those common to all I/O sets.
public enum IOOpcode: UInt8, Sendable, CaseIterable {
  case flush = 0x00
  case write = 0x01
  case read = 0x02
  case writeUncorrectable = 0x04
  case compare = 0x05
  case writeZeroes = 0x08
  case datasetManagement = 0x09
  case verify = 0x0C
  case reservationRegister = 0x0D
  case reservationReport = 0x0E
  case reservationAcquire = 0x11
  case ioManagementReceive = 0x12
  case reservationRelease = 0x15
  case cancel = 0x18
  case copy = 0x19
  case ioManagementSend = 0x1D
  case zoneManagementSend = 0x79
  case zoneManagementReceive = 0x7A
  case zoneAppend = 0x7D
  case fabrics = 0x7F
}

/// FCTYPE of the command with opcode 7Fh (NVMe Base 2.1, section 6).
public enum FabricsCommandType: UInt8, Sendable, CaseIterable {
  case propertySet = 0x00
  case connect = 0x01
  case propertyGet = 0x04
  case authenticationSend = 0x05
  case authenticationReceive = 0x06
  case disconnect = 0x08
}
