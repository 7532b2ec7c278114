internal import NVMeProtocol

extension TargetController {
  /// Identify: writes 4096 bytes, or says why not (NVMe Base 2.1, section 5.1.13).
  func identify(_ command: SubmissionQueueEntry, into base: UnsafeMutableRawPointer) -> StatusField {
    let structure = IdentifyStructure(rawValue: UInt8(truncatingIfNeeded: command.cdw10))
    let commandSet = CommandSetIdentifier(rawValue: UInt8(truncatingIfNeeded: command.cdw11 >> 24))
    let identifier = command.namespaceIdentifier
    let writer = DataWriter(base, byteCount: IdentifyStructure.byteCount)
    if structure == .controller {
      identifyController(writer)
      return .success
    }
    guard let subsystem else { return .invalidFieldInCommand.withDoNotRetry }
    switch structure {
    case .namespace, .commandSetNamespace, .independentNamespace:
      if structure == .commandSetNamespace && commandSet != .nvm { return .invalidFieldInCommand.withDoNotRetry }
      if identifier == .max && structure == .namespace {
        // What all namespaces have in common: the formats.
        writer.put(UInt8(9), at: 130)
        return .success
      }
      guard (1...configuration.maximumNamespaceIdentifier).contains(identifier) else {
        return .invalidNamespaceOrFormat.withDoNotRetry
      }
      // An inactive namespace is all zeroes.
      guard let namespace = subsystem.namespaces[identifier] else { return .success }
      switch structure {
      case .namespace: identify(namespace, writer)
      case .independentNamespace: identifyIndependent(namespace, writer)
      // NVM Command Set 1.1: no protection information, nothing else to tell.
      default: break
      }
    case .activeNamespaceList, .commandSetActiveNamespaceList:
      if structure == .commandSetActiveNamespaceList && commandSet != .nvm {
        return .invalidFieldInCommand.withDoNotRetry
      }
      guard identifier < 0xFFFF_FFFE else { return .invalidNamespaceOrFormat.withDoNotRetry }
      var offset = 0
      for active in subsystem.activeIdentifiers where active > identifier && offset < 4096 {
        writer.put(active, at: offset)
        offset += 4
      }
    case .namespaceDescriptors:
      guard (1...configuration.maximumNamespaceIdentifier).contains(identifier) else {
        return .invalidNamespaceOrFormat.withDoNotRetry
      }
      guard let namespace = subsystem.namespaces[identifier] else {
        return .invalidNamespaceOrFormat.withDoNotRetry
      }
      describe(namespace, writer)
    case .commandSetController:
      // NVM Command Set 1.1: WZSL and DMRSL; DMRL (0 here: no limit of its own), no limit on Verify.
      guard commandSet == .nvm else { return .invalidFieldInCommand.withDoNotRetry }
      writer.put(configuration.writeZeroesSizeExponent, at: 1)
      writer.put(configuration.maximumDatasetManagementRangeBlockCount, at: 4)
    case .commandSetCombinations:
      // One combination: the NVM command set.
      writer.put(UInt64(1), at: 0)
    default:
      return .invalidFieldInCommand.withDoNotRetry
    }
    return .success
  }

  /// NVMe Base 2.1, figure 312.
  private func identifyController(_ writer: DataWriter) {
    let subsystemConfiguration = subsystem?.configuration ?? SubsystemConfiguration(nqn: core.discoveryNQN)
    writer.put(text: subsystemConfiguration.serialNumber, at: 4, count: 20, filler: 0x20)
    writer.put(text: subsystemConfiguration.modelNumber, at: 24, count: 40, filler: 0x20)
    writer.put(text: subsystemConfiguration.firmwareRevision, at: 64, count: 8, filler: 0x20)
    // CMIC: several ports, several controllers, ANA reporting.
    writer.put(UInt8(isDiscovery ? 0 : 0b1011), at: 76)
    writer.put(configuration.maximumDataTransferExponent, at: 77)
    writer.put(identifier, at: 78)
    writer.put(Self.version, at: 80)
    writer.put(supportedEvents, at: 92)
    // CTRATT: 128-bit host identifiers, traffic based keep alive.
    writer.put(UInt32(1 | (configuration.hasTrafficBasedKeepAlive ? 1 << 6 : 0)), at: 96)
    // CNTRLTYPE: 1 I/O, 2 discovery.
    writer.put(UInt8(isDiscovery ? 2 : 1), at: 111)
    // ACL 4 commands (0's based), AERL.
    writer.put(UInt8(3), at: 258)
    writer.put(UInt8(configuration.maximumAsynchronousEventRequests - 1), at: 259)
    // FRMW: one slot, read only.
    writer.put(UInt8(0b11), at: 260)
    // LPA: effects log, extended data (NUMDU and LPO). Bit 5 would promise log pages 12h and 13h beside 00h, which may be
    // there without it.
    writer.put(UInt8(1 << 1 | 1 << 2), at: 261)
    writer.put(UInt8(Self.maximumErrors - 1), at: 262)
    writer.put(UInt16(0x157), at: 266)
    writer.put(UInt16(0x175), at: 268)
    // KAS in 100 ms.
    writer.put(UInt16(clamping: configuration.keepAliveGranularityMilliseconds / 100), at: 320)
    // SQES and CQES: 64 and 16 bytes, nothing else; MAXCMD.
    writer.put(UInt8(isDiscovery ? 0 : 0x66), at: 512)
    writer.put(UInt8(isDiscovery ? 0 : 0x44), at: 513)
    writer.put(UInt16(configuration.maximumQueueEntries), at: 514)
    if let subsystem {
      let total = subsystem.namespaces.values.reduce(UInt64(0)) { $0 &+ $1.byteCount }
      writer.put(total, at: 280)
      // ANATT, ANACAP (all states), ANAGRPMAX, NANAGRPID.
      writer.put(UInt8(10), at: 342)
      writer.put(UInt8(0b0001_1111), at: 343)
      writer.put(TargetPort.maximumAccessGroup, at: 344)
      writer.put(TargetPort.maximumAccessGroup, at: 348)
      writer.put(configuration.maximumNamespaceIdentifier, at: 516)
      // ONCS: Compare, Dataset Management, Write Zeroes, Verify.
      writer.put(UInt16(1 << 0 | 1 << 2 | 1 << 3 | 1 << 7), at: 520)
      // VWC: present, even if no namespace has one now: one that is added later may, and hosts ask once. Flush of all
      // namespaces (FFFFFFFFh) is supported.
      writer.put(UInt8(0b111), at: 525)
      writer.put(configuration.maximumNamespaceIdentifier, at: 540)
      // IOCCSZ and IORCSZ in 16 bytes; ICDOFF 0; MSDBD 1.
      writer.put(UInt32(64 + configuration.inCapsuleDataByteCount) / 16, at: 1792)
      writer.put(UInt32(1), at: 1796)
    }
    // SGLS: supported without alignment requirement, offset as address, transport data blocks.
    writer.put(UInt32(1 | 1 << 20 | 1 << 21), at: 536)
    writer.put(text: subsystemConfiguration.nqn, at: 768, count: 256, filler: 0)
    writer.put(UInt8(1), at: 1803)
    // OFCS: Disconnect.
    writer.put(UInt16(isDiscovery ? 0 : 1), at: 1804)
  }

  /// NVM Command Set 1.1.
  private func identify(_ namespace: TargetNamespace, _ writer: DataWriter) {
    writer.put(namespace.blockCount, at: 0)
    writer.put(namespace.blockCount, at: 8)
    writer.put(namespace.blockCount, at: 16)
    // NSFEAT: thin provisioning not; DLFEAT: deallocated blocks read as zeroes, Write Zeroes can deallocate.
    writer.put(UInt8(0b1001), at: 33)
    // NMIC: shared by controllers.
    writer.put(UInt8(1), at: 30)
    writer.put(namespace.configuration.optimalBoundaryBlocks, at: 46)
    writer.put(namespace.byteCount, at: 48)
    writer.put(namespace.accessGroup, at: 92)
    writer.put(UInt8(namespace.configuration.isReadOnly ? 1 : 0), at: 99)
    writer.put(namespace.nguid, at: 104)
    if let eui64 = namespace.configuration.eui64 { writer.put(eui64, at: 120) }
    // LBAF0: LBADS.
    writer.put(namespace.blockShift, at: 130)
  }

  /// NVMe Base 2.1, figure 319.
  private func identifyIndependent(_ namespace: TargetNamespace, _ writer: DataWriter) {
    writer.put(UInt8(1), at: 1)
    writer.put(namespace.accessGroup, at: 4)
    writer.put(UInt8(namespace.configuration.isReadOnly ? 1 : 0), at: 8)
    // NSTAT.NRDY.
    writer.put(UInt8(1), at: 14)
  }

  /// NVMe Base 2.1, figure 315.
  private func describe(_ namespace: TargetNamespace, _ writer: DataWriter) {
    var offset = 0
    func add(type: UInt8, _ bytes: [UInt8]) {
      writer.put(type, at: offset)
      writer.put(UInt8(bytes.count), at: offset + 1)
      writer.put(bytes, at: offset + 4)
      offset += 4 + bytes.count
    }
    if let eui64 = namespace.configuration.eui64 { add(type: 1, eui64) }
    add(type: 2, namespace.nguid)
    add(type: 3, namespace.uuid)
    add(type: 4, [CommandSetIdentifier.nvm.rawValue])
  }
}
