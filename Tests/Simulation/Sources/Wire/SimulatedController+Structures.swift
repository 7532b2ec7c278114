internal import BlockDevice

/// What the simulated controller says of itself.
extension SimulatedController {
  static let namespaceIdentifier: UInt32 = 1
  private static let group: UInt32 = 1

  func identify(_ command: SubmissionQueueEntry) -> [UInt8]? {
    switch IdentifyStructure(rawValue: UInt8(truncatingIfNeeded: command.cdw10)) {
    case .controller: return identifyController()
    case .activeNamespaceList:
      let isThere = target.faults.hasNamespace && command.namespaceIdentifier < Self.namespaceIdentifier
      return NamespaceIdentifierList(isThere ? [Self.namespaceIdentifier] : []).encode()
    case .namespace where command.namespaceIdentifier == Self.namespaceIdentifier:
      guard target.faults.hasNamespace else { return [UInt8](repeating: 0, count: 4096) }
      var namespace = IdentifyNamespace(blocks: UInt64(SimulatedStore.blockCount), dataSizeExponent: 9)
      namespace.multipathCapabilities = 1
      namespace.anaGroupIdentifier = Self.group
      namespace.nguid = identity
      return namespace.encode()
    case .namespaceDescriptors where command.namespaceIdentifier == Self.namespaceIdentifier:
      guard target.faults.hasNamespace else { return nil }
      return NamespaceDescriptorList(nguid: identity, uuid: identity, commandSet: .nvm).encode()
    default: return nil
    }
  }

  private var identity: Identifier128 {
    let isStranger = target.faults.isStranger && target.bug != .identityIgnored
    return Identifier128(high: isStranger ? 0xBAD : 0x600D, low: 1)
  }

  private func identifyController() -> [UInt8] {
    var identify = IdentifyController()
    identify.multipathCapabilities = 0b1011
    identify.maximumDataTransferSize = target.transferExponent
    identify.controllerIdentifier = identifier
    identify.version = ControllerVersion(rawValue: 0x0002_0100)
    identify.optionalAsynchronousEvents = [.namespaceAttribute, .anaChange]
    identify.controllerAttributes = 1 | (target.hasTrafficBasedKeepAlive ? 1 << 6 : 0)
    identify.controllerType = 1
    identify.commandRetryDelayTimes = [1, 3, 10]
    identify.asynchronousEventRequestLimit = 3
    identify.logPageAttributes = 1 << 2
    identify.keepAliveSupport =
      target.bug == .keepAliveGranularityIgnored ? 1 : UInt16(target.keepAliveGranularityMilliseconds / 100)
    identify.anaTransitionTimeSeconds = 3
    identify.anaCapabilities = 0b0001_1111
    identify.anaGroupIdentifierMaximum = 1
    identify.anaGroupCount = 1
    identify.commandQuiesceTimeMilliseconds = target.quiesceMilliseconds
    identify.submissionQueueEntrySize = 0x66
    identify.completionQueueEntrySize = 0x44
    identify.maximumOutstandingCommands = UInt16(target.queueEntries)
    identify.namespaceCount = 1
    identify.maximumAllowedNamespaces = 1
    identify.sglSupport = 1 | 1 << 20 | 1 << 21
    identify.ioCommandCapsuleSize = UInt32(64 + target.inCapsuleByteCount) / 16
    identify.ioResponseCapsuleSize = 1
    identify.maximumSGLDataBlockDescriptors = 1
    return identify.encode()
  }

  func logPage(_ command: SubmissionQueueEntry, byteCount: Int) -> [UInt8]? {
    let page = LogPageIdentifier(rawValue: UInt8(truncatingIfNeeded: command.cdw10))
    let offset = Int(command.cdw12)
    var content: [UInt8]
    switch page {
    case .asymmetricNamespaceAccess:
      let members = target.faults.hasNamespace ? [Self.namespaceIdentifier] : []
      content = ANALog(
        changeCount: target.anaChangeCount,
        groups: [
          ANALog.Group(
            identifier: Self.group, state: target.faults.anaState, changeCount: target.anaChangeCount,
            namespaceIdentifiers: members)
        ]
      ).encode()
    case .changedNamespaceList: content = NamespaceIdentifierList([Self.namespaceIdentifier]).encode()
    default: return nil
    }
    if command.cdw10 & 1 << 15 == 0 { logPageRead(page) }
    content = Array(content.dropFirst(offset).prefix(byteCount))
    return content + [UInt8](repeating: 0, count: byteCount - content.count)
  }
}
