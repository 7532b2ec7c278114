/// Identify Controller, CNS 01h, 4,096 bytes (NVMe Base 2.1, section 5.1.13.2.1, figure 312).
///
/// Fields that a host acts on or a tool shows; their abbreviations stand beside them. Interpretations are in
/// `IdentifyController+Interpretation.swift`.
public struct IdentifyController: WireStructure, FixedLayout, Hashable {
  public static let structureName = "Identify Controller"
  public static let byteCount = 4096

  // Controller capabilities and features.
  /// VID
  public var vendorIdentifier: UInt16 = 0
  /// SSVID
  public var subsystemVendorIdentifier: UInt16 = 0
  /// SN
  public var serialNumber = ""
  /// MN
  public var modelNumber = ""
  /// FR
  public var firmwareRevision = ""
  /// RAB, an exponent of two
  public var recommendedArbitrationBurst: UInt8 = 0
  /// IEEE, 24 bits
  public var ieeeOUI: UInt32 = 0
  /// CMIC
  public var multipathCapabilities: UInt8 = 0
  /// MDTS, an exponent of two in units of CAP.MPSMIN; 0: no limit
  public var maximumDataTransferSize: UInt8 = 0
  /// CNTLID
  public var controllerIdentifier: UInt16 = 0
  /// VER
  public var version = ControllerVersion(rawValue: 0)
  /// RTD3R, microseconds
  public var rtd3ResumeLatencyMicroseconds: UInt32 = 0
  /// RTD3E, microseconds
  public var rtd3EntryLatencyMicroseconds: UInt32 = 0
  /// OAES
  public var optionalAsynchronousEvents = AsynchronousEventConfiguration()
  /// CTRATT
  public var controllerAttributes: UInt32 = 0
  /// RRLS
  public var readRecoveryLevels: UInt16 = 0
  /// CNTRLTYPE
  public var controllerType: UInt8 = 0
  /// FGUID
  public var fieldReplaceableUnitIdentifier = Identifier128()
  /// CRDT1 to CRDT3, in units of 100 ms
  public var commandRetryDelayTimes: [UInt16] = [0, 0, 0]
  /// NVMSR
  public var subsystemReport: UInt8 = 0
  /// VWCI
  public var vpdWriteCycleInformation: UInt8 = 0
  /// MEC
  public var managementEndpointCapabilities: UInt8 = 0

  // Admin command set attributes.
  /// OACS
  public var optionalAdminCommands: UInt16 = 0
  /// ACL, zeroes based
  public var abortCommandLimit: UInt8 = 0
  /// AERL, zeroes based
  public var asynchronousEventRequestLimit: UInt8 = 0
  /// FRMW
  public var firmwareUpdates: UInt8 = 0
  /// LPA
  public var logPageAttributes: UInt8 = 0
  /// ELPE, zeroes based
  public var errorLogPageEntries: UInt8 = 0
  /// NPSS, zeroes based
  public var powerStateCount: UInt8 = 0
  /// AVSCC
  public var adminVendorSpecificCommands: UInt8 = 0
  /// APSTA
  public var autonomousPowerStateTransitions: UInt8 = 0
  /// WCTEMP, kelvins
  public var warningCompositeTemperatureKelvin: UInt16 = 0
  /// CCTEMP, kelvins
  public var criticalCompositeTemperatureKelvin: UInt16 = 0
  /// MTFA, in units of 100 ms
  public var maximumTimeForFirmwareActivation: UInt16 = 0
  /// HMPRE, in units of 4 KiB
  public var hostMemoryBufferPreferredSize: UInt32 = 0
  /// HMMIN, in units of 4 KiB
  public var hostMemoryBufferMinimumSize: UInt32 = 0
  /// TNVMCAP, bytes
  public var totalCapacityBytes: UInt128 = 0
  /// UNVMCAP, bytes
  public var unallocatedCapacityBytes: UInt128 = 0
  /// RPMBS
  public var replayProtectedMemoryBlock: UInt32 = 0
  /// EDSTT
  public var extendedSelfTestMinutes: UInt16 = 0
  /// DSTO
  public var deviceSelfTestOptions: UInt8 = 0
  /// FWUG, in units of 4 KiB
  public var firmwareUpdateGranularity: UInt8 = 0
  /// KAS, in units of 100 ms; 0: keep alive is not supported
  public var keepAliveSupport: UInt16 = 0
  /// HCTMA
  public var hostControlledThermalManagement: UInt16 = 0
  /// MNTMT, kelvins
  public var minimumThermalManagementKelvin: UInt16 = 0
  /// MXTMT, kelvins
  public var maximumThermalManagementKelvin: UInt16 = 0
  /// SANICAP
  public var sanitizeCapabilities: UInt32 = 0
  /// NSETIDMAX
  public var maximumNVMSetIdentifier: UInt16 = 0
  /// ENDGIDMAX
  public var maximumEnduranceGroupIdentifier: UInt16 = 0
  /// ANATT, seconds
  public var anaTransitionTimeSeconds: UInt8 = 0
  /// ANACAP
  public var anaCapabilities: UInt8 = 0
  /// ANAGRPMAX
  public var anaGroupIdentifierMaximum: UInt32 = 0
  /// NANAGRPID
  public var anaGroupCount: UInt32 = 0
  /// PELS, in units of 64 KiB
  public var persistentEventLogSize: UInt32 = 0
  /// DID
  public var domainIdentifier: UInt16 = 0
  /// MEGCAP, bytes
  public var maximumEnduranceGroupCapacityBytes: UInt128 = 0
  /// CQT, milliseconds: how long commands of a lost connection may still take effect
  public var commandQuiesceTimeMilliseconds: UInt16 = 0

  // NVM command set attributes.
  /// SQES: required exponent in bits 3:0, maximum in bits 7:4
  public var submissionQueueEntrySize: UInt8 = 0
  /// CQES: as SQES
  public var completionQueueEntrySize: UInt8 = 0
  /// MAXCMD: most commands outstanding on one I/O queue; 0: not said
  public var maximumOutstandingCommands: UInt16 = 0
  /// NN: the largest valid NSID
  public var namespaceCount: UInt32 = 0
  /// ONCS
  public var optionalIOCommands = OptionalIOCommands()
  /// FUSES
  public var fusedOperations: UInt16 = 0
  /// FNA
  public var formatAttributes: UInt8 = 0
  /// VWC
  public var volatileWriteCache: UInt8 = 0
  /// AWUN, blocks, zeroes based
  public var atomicWriteUnitNormal: UInt16 = 0
  /// AWUPF, blocks, zeroes based
  public var atomicWriteUnitPowerFail: UInt16 = 0
  /// ICSVSCC
  public var ioVendorSpecificCommands: UInt8 = 0
  /// NWPC
  public var namespaceWriteProtection: UInt8 = 0
  /// ACWU, blocks, zeroes based
  public var atomicCompareAndWriteUnit: UInt16 = 0
  /// CDFS
  public var copyDescriptorFormats: UInt16 = 0
  /// SGLS
  public var sglSupport: UInt32 = 0
  /// MNAN
  public var maximumAllowedNamespaces: UInt32 = 0
  /// MAXDNA
  public var maximumDomainNamespaceAttachments: UInt128 = 0
  /// MAXCNA
  public var maximumControllerNamespaceAttachments: UInt32 = 0
  /// SUBNQN
  public var subsystemNQN = ""

  // Fabrics.
  /// IOCCSZ, in units of 16 bytes: I/O queue capsule, command and in-capsule data
  public var ioCommandCapsuleSize: UInt32 = 0
  /// IORCSZ, in units of 16 bytes
  public var ioResponseCapsuleSize: UInt32 = 0
  /// ICDOFF, in units of 16 bytes
  public var inCapsuleDataOffset: UInt16 = 0
  /// FCATT: bit 0 set: static controller model
  public var fabricsControllerAttributes: UInt8 = 0
  /// MSDBD: most SGL descriptors in a capsule; 0: no limit
  public var maximumSGLDataBlockDescriptors: UInt8 = 0
  /// OFCS: bit 0: Disconnect is supported
  public var optionalFabricsCommands: UInt16 = 0
  /// DCTYPE
  public var discoveryControllerType: UInt8 = 0

  /// PSD0 to PSD31, those that NPSS says exist
  public var powerStates: [PowerStateDescriptor] = [PowerStateDescriptor()]

  public init() {}

  /// - Throws: `DecodingError` if there are fewer than 4,096 bytes. Text is repaired, not refused.
  public init(decoding bytes: RawSpan) throws(DecodingError) {
    self = try Self.decodeFields(bytes)
    // NPSS beyond 31 is reserved; a hostile value must not make us read vendor-specific bytes as power states.
    powerStates = []
    for index in 0...min(Int(powerStateCount), 31) {
      let start = 2048 + index * PowerStateDescriptor.byteCount
      powerStates.append(
        try PowerStateDescriptor(decoding: bytes.extracting(start..<start + PowerStateDescriptor.byteCount)))
    }
  }

  public func encode() -> [UInt8] {
    var bytes = encodeFields()
    for (index, state) in powerStates.prefix(32).enumerated() {
      let start = 2048 + index * PowerStateDescriptor.byteCount
      bytes.replaceSubrange(start..<start + PowerStateDescriptor.byteCount, with: state.encode())
    }
    return bytes
  }
}
