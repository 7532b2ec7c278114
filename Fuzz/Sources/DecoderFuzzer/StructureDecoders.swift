import NVMeProtocol

enum StructureDecoders {
  static let all: [@Sendable ([UInt8]) -> Void] = [
    { stable(IdentifyController.self, $0, interpret) },
    { stable(IdentifyNamespace.self, $0, interpret) },
    { stable(NamespaceIdentifierList.self, $0) { use($0.isFull) } },
    { stable(NamespaceDescriptorList.self, $0) },
    { stable(IndependentNamespace.self, $0) { use($0.isReady) } },
    { stable(NVMCommandSetController.self, $0) },
    { stable(NVMCommandSetNamespace.self, $0) },
    { stable(PowerStateDescriptor.self, $0) },
    { stable(ErrorInformationLog.self, $0) { for entry in $0.entries { use(entry.status.description) } } },
    { stable(ErrorInformationEntry.self, $0) },
    { stable(SMARTHealthLog.self, $0) },
    { stable(FirmwareSlotLog.self, $0) { use($0.activeSlot + $0.nextSlot) } },
    { stable(ChangedNamespaceList.self, $0) },
    { stable(CommandEffectsLog.self, $0) },
    { stable(SupportedLogPages.self, $0) { use($0.supported) } },
    { stable(ANALog.self, $0) },
    { stable(DiscoveryLogHeader.self, $0) },
    { stable(DiscoveryLogEntry.self, $0) { use($0.tcpSecurityType) } },
    { stable(ConnectData.self, $0) },
    { stable(HostBehaviorSupport.self, $0) },
    { stable(HostIdentifierFeature.self, $0) },
    { stable(SubmissionQueueEntry.self, $0) { use($0.commandName(onAdminQueue: true)) } },
    { stable(CompletionQueueEntry.self, $0) { use($0.status.description) } },
    ranges,
  ]

  /// Keeps a value from being optimized away.
  @inline(never) private static func use<Value>(_ value: Value) { withExtendedLifetime(value) {} }

  private static func stable<Structure: WireStructure & Hashable>(
    _ type: Structure.Type, _ bytes: [UInt8], _ interpret: (Structure) -> Void = { _ in }
  ) {
    let first: Structure
    do throws(DecodingError) {
      first = try Structure(decoding: bytes)
    } catch {
      check(!error.description.isEmpty, "an error without a description")
      return
    }
    interpret(first)
    // Text that is not UTF-8 is replaced at the first decoding; from then on nothing changes.
    let encoded = first.encode()
    guard let second = try? Structure(decoding: encoded) else {
      fatalError("\(type): what was encoded cannot be decoded")
    }
    let again = second.encode()
    check(again == encoded, "\(type): encoding is not stable")
    guard let third = try? Structure(decoding: again) else { fatalError("\(type): decoded once, not twice") }
    check(third == second, "\(type): decoding is not stable")
  }

  private static func interpret(_ controller: IdentifyController) {
    for bytes in [4096, 4096 << 15] { use(controller.maximumDataTransferBytes(minimumPageBytes: bytes)) }
    use(controller.maximumInCapsuleDataBytes)
    use(controller.keepAliveGranularityMilliseconds)
    use(controller.kind)
    for code in 0..<4 { use(controller.commandRetryDelayMilliseconds(code: UInt8(code))) }
  }

  private static func interpret(_ namespace: IdentifyNamespace) {
    use(namespace.formatIndex)
    use((try? namespace.geometry())?.byteCount)
    use(namespace.deallocatedReadBehavior)
  }

  @Sendable private static func ranges(_ bytes: [UInt8]) {
    let content = Array(bytes.dropFirst())
    guard let ranges = try? DatasetManagementRange.decode(content.span.bytes, count: Int(bytes.first ?? 0)) else {
      return
    }
    let encoded = DatasetManagementRange.encode(ranges)
    guard let again = try? DatasetManagementRange.decode(encoded.span.bytes, count: ranges.count) else {
      fatalError("ranges cannot be decoded again")
    }
    check(again == ranges, "ranges are not stable")
  }
}
