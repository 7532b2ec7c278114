import NVMeProtocol
import Testing

@Suite struct IdentifyTests {
  @Test func controller() throws {
    let controller = try IdentifyController(decoding: Vector.identifyController.bytes)
    #expect(controller.encode() == Vector.identifyController.bytes)
    #expect(controller.vendorIdentifier == 0x144D && controller.subsystemVendorIdentifier == 0x144E)
    #expect(controller.serialNumber == "SN01")
    #expect(controller.modelNumber == "Linux")
    #expect(controller.firmwareRevision == "6.12")
    #expect(controller.ieeeOUI == 0xA4B3C2)
    #expect(controller.supportsANAReporting && controller.supportsMultipleControllers)
    #expect(controller.maximumDataTransferBytes(minimumPageBytes: 4096) == 128 * 1024)
    #expect(controller.controllerIdentifier == 7)
    #expect(controller.version.description == "2.1")
    #expect(controller.optionalAsynchronousEvents == [.namespaceAttribute, .anaChange, .discoveryLogPageChange])
    #expect(controller.supports128BitHostIdentifier && controller.supportsTrafficBasedKeepAlive)
    #expect(controller.kind == .io)
    #expect(controller.fieldReplaceableUnitIdentifier.hexadecimalString == "00112233445566778899aabbccddeeff")
    #expect(controller.commandRetryDelayTimes == [1, 2, 10])
    #expect((0...4).map { controller.commandRetryDelayMilliseconds(code: $0) } == [0, 100, 200, 1000, 0])
    #expect(controller.abortCommandLimit == 3 && controller.asynchronousEventRequestLimit == 3)
    #expect(controller.warningCompositeTemperatureKelvin == 343)
    #expect(controller.criticalCompositeTemperatureKelvin == 353)
    #expect(controller.totalCapacityBytes == UInt128(1) << 64)
    #expect(controller.unallocatedCapacityBytes == 255)
    #expect(controller.keepAliveGranularityMilliseconds == 1000)
    #expect(controller.anaTransitionTimeSeconds == 10 && controller.anaCapabilities == 0x1F)
    #expect(controller.anaGroupIdentifierMaximum == 128 && controller.anaGroupCount == 3)
    #expect(controller.commandQuiesceTimeMilliseconds == 500)
    #expect(controller.submissionQueueEntrySize == 0x66 && controller.completionQueueEntrySize == 0x44)
    #expect(controller.maximumOutstandingCommands == 1024 && controller.namespaceCount == 1024)
    #expect(controller.optionalIOCommands == [.compare, .datasetManagement, .writeZeroes, .verify])
    #expect(controller.supportsFusedCompareAndWrite)
    #expect(controller.hasVolatileWriteCache && controller.flushesAllNamespaces)
    #expect(controller.atomicWriteUnitNormal == 7 && controller.atomicWriteUnitPowerFail == 3)
    #expect(controller.sglSupport == 0x0030_0001 && controller.maximumAllowedNamespaces == 512)
    #expect(controller.subsystemNQN == "nqn.2014-08.org:t")
    #expect(controller.maximumInCapsuleDataBytes == 16384)
    #expect(controller.ioResponseCapsuleSize == 1 && controller.inCapsuleDataOffset == 0)
    #expect(controller.fabricsControllerAttributes == 1 && controller.maximumSGLDataBlockDescriptors == 4)
    #expect(controller.supportsDisconnect && controller.discoveryControllerType == 2)
    #expect(controller.powerStates.count == 2)
    #expect(controller.powerStates[0].maximumPower == 900 && controller.powerStates[0].exitLatencyMicroseconds == 32)
  }

  @Test func hostileController() throws {
    var bytes = [UInt8](repeating: 0xFF, count: 4096)
    let controller = try IdentifyController(decoding: bytes)
    #expect(controller.powerStates.count == 32)
    #expect(controller.maximumDataTransferBytes(minimumPageBytes: 4096 << 15) == nil)
    #expect(controller.maximumInCapsuleDataBytes == Int(UInt32.max) * 16 - 64)
    #expect(controller.serialNumber == String(repeating: "\u{FFFD}", count: 20))
    bytes.replaceSubrange(4..<8, with: [0x1B, 0x5B, 0x41, 0])
    #expect(try IdentifyController(decoding: bytes).serialNumber == "\u{FFFD}[A")
    #expect(throws: DecodingError.self) { try IdentifyController(decoding: Array(bytes.dropLast())) }
    #expect(IdentifyController().maximumInCapsuleDataBytes == 0)
  }

  @Test func namespace() throws {
    let namespace = try IdentifyNamespace(decoding: Vector.identifyNamespace.bytes)
    #expect(namespace.encode() == Vector.identifyNamespace.bytes)
    #expect(namespace.sizeBlocks == 2_097_152 && namespace.capacityBlocks == 1_048_576)
    #expect(namespace.utilizationBlocks == 524_288)
    #expect(namespace.supportsThinProvisioning && namespace.reportsOptimalPerformance)
    #expect(namespace.optimalIOBoundary == 256 && namespace.capacityBytes == 1 << 30)
    #expect(namespace.preferredWriteGranularity == 7 && namespace.optimalWriteSize == 11)
    #expect(namespace.maximumSourceRangeLength == 12 && namespace.maximumCopyLength == 13)
    #expect(namespace.anaGroupIdentifier == 2 && namespace.isWriteProtected && namespace.isShared)
    #expect(namespace.nvmSetIdentifier == 0x21 && namespace.enduranceGroupIdentifier == 0x22)
    #expect(namespace.nguid.hexadecimalString == "000102030405060708090a0b0c0d0e0f")
    #expect(namespace.eui64 == 0xA4B3_C200_0000_0001)
    #expect(namespace.deallocatedReadBehavior == 1 && namespace.supportsWriteZeroesDeallocate)
    let geometry = try namespace.geometry()
    #expect(geometry == NamespaceGeometry(blockCount: 2_097_152, blockBytes: 4096, metadataBytes: 8))
    #expect(geometry.byteCount == 8 << 30)
  }

  @Test func hostileNamespaces() throws {
    #expect(try IdentifyNamespace(decoding: [UInt8](repeating: 0, count: 4096)).isInactive)
    var namespace = IdentifyNamespace(blocks: 1 << 60, dataSizeExponent: 12)
    #expect(throws: DecodingError.self) { try namespace.geometry() }
    namespace = IdentifyNamespace(blocks: 100, dataSizeExponent: 8)
    #expect(throws: DecodingError.self) { try namespace.geometry() }
    namespace = IdentifyNamespace(blocks: 100, dataSizeExponent: 255)
    #expect(throws: DecodingError.self) { try namespace.geometry() }
    namespace = IdentifyNamespace(blocks: 100, dataSizeExponent: 9)
    #expect(try namespace.geometry().blockBytes == 512)
    namespace.formattedSize = 3
    #expect(throws: DecodingError.self) { try namespace.geometry() }
    #expect(NamespaceGeometry(blockCount: .max, blockBytes: 4096).byteCount == .max)
    // FLBAS bits 6:5 count only where there are more than 16 formats.
    namespace.formattedSize = 0b0110_0001
    #expect(namespace.formatIndex == 1)
    namespace.formatCount = 63
    #expect(namespace.formatIndex == 0b11_0001)
  }

  @Test func lists() throws {
    let list = try NamespaceIdentifierList(decoding: Vector.activeNamespaceList.bytes)
    #expect(list.identifiers == [1, 2, 256, 0xFFFF_FFFE])
    #expect(list.encode() == Vector.activeNamespaceList.bytes && !list.isFull)
    #expect(try NamespaceIdentifierList(decoding: NamespaceIdentifierList(Array(1...1024)).encode()).isFull)
    for hostile in [[2, 1], [1, 1], [0xFFFF_FFFF]] as [[UInt32]] {
      #expect(throws: DecodingError.self) {
        try NamespaceIdentifierList(decoding: NamespaceIdentifierList(hostile).encode())
      }
    }
  }

  @Test func descriptors() throws {
    let list = try NamespaceDescriptorList(decoding: Vector.namespaceDescriptors.bytes)
    #expect(list.encode() == Vector.namespaceDescriptors.bytes)
    #expect(list.eui64 == 0xA4B3_C200_0000_0001)
    #expect(list.nguid?.hexadecimalString == "000102030405060708090a0b0c0d0e0f")
    #expect(list.uuid?.uuidString == "12345678-9abc-4def-8123-456789abcdef")
    #expect(list.commandSet == .zonedNamespace)
    // An unknown type is skipped, a wrong length and a descriptor past the end are refused.
    var bytes = Vector.namespaceDescriptors.bytes
    bytes[0] = 9
    #expect(try NamespaceDescriptorList(decoding: bytes).eui64 == nil)
    bytes[0] = 2
    #expect(throws: DecodingError.self) { try NamespaceDescriptorList(decoding: bytes) }
    let endless = (0..<4096).map { UInt8($0 % 255 == 0 ? 9 : 251) }
    #expect(throws: DecodingError.self) { try NamespaceDescriptorList(decoding: endless) }
  }

  @Test func commandSets() throws {
    let namespace = try NVMCommandSetNamespace(decoding: Vector.nvmCommandSetNamespace.bytes)
    #expect(namespace.encode() == Vector.nvmCommandSetNamespace.bytes)
    #expect(namespace.logicalBlockStorageTagMask == 0x8000_0000_0000_FFFF)
    #expect(namespace.extendedFormats[1] == 0xA0 && namespace.extendedFormats[63] == 0x101)
    #expect(namespace.preferredDeallocateGranularityLarge == 1 && namespace.preferredDeallocateAlignmentLarge == 5)
    let controller = try NVMCommandSetController(decoding: Vector.nvmCommandSetController.bytes)
    #expect(controller.encode() == Vector.nvmCommandSetController.bytes)
    #expect(controller.datasetManagementRangesLimit == 16 && controller.datasetManagementRangeSizeLimit == 1 << 20)
    #expect(controller.datasetManagementSizeLimit == 1 << 32 && controller.writeZeroesWithDeallocateSizeLimit == 8)
    #expect(controller.version.description == "1.1")
    #expect(NVMCommandSetController.limitBytes(exponent: 5, minimumPageBytes: 4096) == 131072)
    #expect(NVMCommandSetController.limitBytes(exponent: 255, minimumPageBytes: 4096) == nil)
    let independent = try IndependentNamespace(decoding: Vector.independentNamespace.bytes)
    #expect(independent.encode() == Vector.independentNamespace.bytes)
    #expect(independent.anaGroupIdentifier == 5 && independent.isReady && independent.maximumKeyTag == 7)
    #expect(independent.reachabilityGroupIdentifier == 9)
  }
}
