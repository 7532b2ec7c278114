import NVMeProtocol

/// Structures with a value of its own in each field that matters, passed through encoder and decoder.
enum Golden {
  static func controller() throws -> IdentifyController {
    var controller = IdentifyController()
    controller.vendorIdentifier = 0x8086
    controller.subsystemVendorIdentifier = 0x1AF4
    controller.serialNumber = "SN0123456789"
    controller.modelNumber = "Golden \"model\""
    controller.firmwareRevision = "1.2.3"
    controller.recommendedArbitrationBurst = 6
    controller.ieeeOUI = 0x5CD2E4
    controller.multipathCapabilities = 0x0A
    controller.maximumDataTransferSize = 5
    controller.controllerIdentifier = 0x12
    controller.version = ControllerVersion(major: 2, minor: 1)
    controller.optionalAsynchronousEvents = [.namespaceAttribute, .anaChange]
    controller.controllerAttributes = 0x41
    controller.controllerType = 1
    controller.commandRetryDelayTimes = [10, 0, 0]
    controller.optionalAdminCommands = 0
    controller.abortCommandLimit = 3
    controller.asynchronousEventRequestLimit = 3
    controller.firmwareUpdates = 0x03
    controller.logPageAttributes = 0x26
    controller.errorLogPageEntries = 127
    controller.warningCompositeTemperatureKelvin = 343
    controller.totalCapacityBytes = UInt128(1) << 70
    controller.keepAliveSupport = 10
    controller.anaTransitionTimeSeconds = 10
    controller.anaCapabilities = 0x1F
    controller.anaGroupIdentifierMaximum = 128
    controller.anaGroupCount = 128
    controller.submissionQueueEntrySize = 0x66
    controller.completionQueueEntrySize = 0x44
    controller.maximumOutstandingCommands = 1024
    controller.namespaceCount = 1024
    controller.optionalIOCommands = [.writeZeroes, .datasetManagement]
    controller.volatileWriteCache = 7
    controller.sglSupport = 0x30_0001
    controller.subsystemNQN = "nqn.2014-08.org.example:golden"
    controller.ioCommandCapsuleSize = 516
    controller.ioResponseCapsuleSize = 1
    controller.maximumSGLDataBlockDescriptors = 1
    controller.optionalFabricsCommands = 1
    controller.powerStates[0].maximumPower = 2500
    return try IdentifyController(decoding: controller.encode())
  }

  static func namespace() throws -> IdentifyNamespace {
    var namespace = IdentifyNamespace(blocks: 0x20000, dataSizeExponent: 12)
    namespace.formats = [LBAFormat(dataSizeExponent: 9, relativePerformance: 2), LBAFormat(dataSizeExponent: 12)]
    namespace.formatCount = 1
    namespace.formattedSize = 1
    namespace.features = 0x10
    namespace.preferredWriteGranularity = 7
    namespace.multipathCapabilities = 1
    namespace.deallocateFeatures = 9
    namespace.anaGroupIdentifier = 1
    namespace.nguid = Identifier128(high: 0x0123_4567_89AB_CDEF, low: 0xFEDC_BA98_7654_3210)
    namespace.eui64 = 0xAABB_CCDD_EEFF_0011
    return try IdentifyNamespace(decoding: namespace.encode())
  }

  static func discoveryEntry() -> DiscoveryLogEntry {
    var entry = DiscoveryLogEntry()
    entry.portIdentifier = 1
    entry.transportRequirements = 0b100
    entry.serviceIdentifier = "4420"
    entry.subsystemNQN = "nqn.2014-08.org.example:golden"
    entry.transportAddress = "192.0.2.1"
    return entry
  }
}
