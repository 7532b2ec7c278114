import NVMeProtocol
import Testing

@Suite struct QueueEntryTests {
  @Test func sizes() {
    #expect(MemoryLayout<SubmissionQueueEntry>.size == 64)
    #expect(MemoryLayout<SubmissionQueueEntry>.stride == 64)
    #expect(MemoryLayout<CompletionQueueEntry>.size == 16)
    #expect(MemoryLayout<SGLDescriptor>.size == 16)
    #expect(MemoryLayout<StatusField>.size == 2)
    #expect(MemoryLayout<DatasetManagementRange>.size == 16)
    #expect(MemoryLayout<Identifier128>.size == 16)
    // struct iovec on 64-bit Linux: a pointer, then a size_t.
    #expect(MemoryLayout<IOVector>.size == 16)
    #expect(MemoryLayout<IOVector>.offset(of: \.base) == 0)
    #expect(MemoryLayout<IOVector>.offset(of: \.count) == 8)
  }

  @Test func read() throws {
    var entry = SubmissionQueueEntry.read(
      namespaceIdentifier: 1, startingLBA: 0x1122_3344_5566_7788, blockCount: 8, forceUnitAccess: true)
    entry.commandIdentifier = 0x1234
    entry.sgl = .transport(length: 4096)
    #expect(entry.encode() == Vector.readEntry.bytes)
    let decoded = try SubmissionQueueEntry(decoding: Vector.readEntry.bytes)
    #expect(decoded == entry)
    #expect(decoded.opcode == IOOpcode.read.rawValue)
    #expect(decoded.commandIdentifier == 0x1234)
    #expect(decoded.startingLBA == 0x1122_3344_5566_7788)
    #expect(decoded.blockCount == 8)
    #expect(decoded.forceUnitAccess)
    #expect(decoded.dataTransferKind == 1)
    #expect(decoded.sgl.kind == .transportDataBlock)
    #expect(decoded.sgl.subtype == .transportSpecificA)
    #expect(decoded.sgl.length == 4096)
  }

  @Test func fabrics() throws {
    var entry = SubmissionQueueEntry.fabricsConnect(
      queueIdentifier: 3, entries: 128, disableSubmissionQueueFlowControl: true, keepAliveTimeoutMilliseconds: 10_000)
    entry.sgl = .inCapsule(length: 1024)
    #expect(entry.encode() == Vector.connectEntry.bytes)
    let fields = entry.connectFields
    #expect(fields.queueIdentifier == 3)
    #expect(fields.entries == 128)
    #expect(fields.disableSubmissionQueueFlowControl)
    #expect(fields.keepAliveTimeoutMilliseconds == 10_000)
    #expect(entry.fabricsCommandType == .connect)

    let configuration = ControllerConfigurationRegister(enable: true)
    let set = SubmissionQueueEntry.propertySet(.controllerConfiguration, value: UInt64(configuration.rawValue))
    #expect(set.encode() == Vector.propertySetEntry.bytes)
    #expect(set.propertyFields == (false, 0x14, 0x0046_0001))
    let get = SubmissionQueueEntry.propertyGet(.controllerCapabilities)
    #expect(get.encode() == Vector.propertyGetEntry.bytes)
    #expect(get.propertyFields == (true, 0, 0))
    #expect(SubmissionQueueEntry.fabricsDisconnect().fabricsCommandType == .disconnect)
  }

  @Test func logPageAndRanges() throws {
    let log = SubmissionQueueEntry.getLogPage(
      .asymmetricNamespaceAccess, byteCount: 0x20000 * 4, offset: 0x1_0000_1000, specificParameter: 1,
      retainAsynchronousEvent: true)
    #expect(log.encode() == Vector.getLogPageEntry.bytes)
    let deallocate = SubmissionQueueEntry.datasetManagement(namespaceIdentifier: 2, rangeCount: 256, deallocate: true)
    #expect(deallocate.encode() == Vector.deallocateEntry.bytes)

    let ranges = [
      DatasetManagementRange(startingLBA: 256, blockCount: 8),
      DatasetManagementRange(startingLBA: 0x1_FFFF_FFFF, blockCount: 65536, contextAttributes: 0x11),
    ]
    #expect(DatasetManagementRange.encode(ranges) == Vector.datasetManagementRanges.bytes)
    #expect(try decodeRanges(count: 2) == ranges)
    #expect(throws: DecodingError.self) {
      try decodeRanges(count: 3)
    }
    #expect(throws: DecodingError.self) {
      try decodeRanges(count: 257)
    }
  }

  @Test(arguments: [
    (SubmissionQueueEntry.identify(.namespace, namespaceIdentifier: 5), UInt8(0x06), UInt32(0x00), UInt32(0)),
    (.identify(.commandSetNamespace, namespaceIdentifier: 5, commandSetIdentifier: .zonedNamespace), 0x06, 5, 2 << 24),
    (.identify(.controllerList, controllerIdentifier: 9), 0x06, 0x0009_0013, 0),
    (.setFeatures(.numberOfQueues, value: 0x0003_0003, save: true), 0x09, 0x8000_0007, 0x0003_0003),
    (.getFeatures(.numberOfQueues, select: .saved), 0x0A, 0x207, 0),
    (.asynchronousEventRequest(), 0x0C, 0, 0),
    (.keepAlive(), 0x18, 0, 0),
    (.abort(commandIdentifier: 0x1234, queueIdentifier: 2), 0x08, 0x1234_0002, 0),
    (.flush(namespaceIdentifier: 1), 0x00, 0, 0),
    (.write(namespaceIdentifier: 1, startingLBA: 7, blockCount: 1), 0x01, 7, 0),
    (.compare(namespaceIdentifier: 1, startingLBA: 1 << 40, blockCount: 1), 0x05, 0, 0x100),
    (.verify(namespaceIdentifier: 1, startingLBA: 3, blockCount: 1), 0x0C, 3, 0),
    (.writeUncorrectable(namespaceIdentifier: 1, startingLBA: 3, blockCount: 1), 0x04, 3, 0),
  ])
  func dwords(entry: SubmissionQueueEntry, opcode: UInt8, dword10: UInt32, dword11: UInt32) {
    #expect(entry.opcode == opcode)
    #expect(entry.cdw10 == dword10)
    #expect(entry.cdw11 == dword11)
    #expect(entry.commandIdentifier == 0)
    #expect(entry.sgl == SGLDescriptor())
    #expect(entry.flags == 0x40)
  }

  @Test func writeZeroesFlags() {
    let entry = SubmissionQueueEntry.writeZeroes(
      namespaceIdentifier: 1, startingLBA: 0, blockCount: 65536, deallocate: true, forceUnitAccess: true)
    #expect(entry.cdw12 == 1 << 25 | 1 << 30 | 0xFFFF)
    #expect(entry.blockCount == 65536)
    #expect(entry.fused(2).flags == 0x42)
  }

  @Test func completion() throws {
    let entry = CompletionQueueEntry(
      commandIdentifier: 0xABCD, status: StatusField(.pathRelated, 0x03, more: true, doNotRetry: true),
      dword0: 0x1234_5678, dword1: 0x9ABC_DEF0, submissionQueueHead: 5, submissionQueueIdentifier: 2)
    #expect(entry.encode() == Vector.completionEntry.bytes)
    let decoded = try CompletionQueueEntry(decoding: Vector.completionEntry.bytes)
    #expect(decoded == entry)
    #expect(decoded.result == 0x9ABC_DEF0_1234_5678)
    #expect(!decoded.phase)
    #expect(throws: DecodingError.self) {
      try CompletionQueueEntry(decoding: Array(Vector.completionEntry.bytes.dropLast()))
    }
  }

  @Test func descriptors() {
    let keyed = SGLDescriptor.keyed(address: 0x1000, length: 0x12_3456, key: 0xDEAD_BEEF, invalidate: true)
    #expect(keyed.length == 0x12_3456)
    #expect(keyed.key == 0xDEAD_BEEF)
    #expect(keyed.kind == .keyedDataBlock)
    #expect(keyed.subtype == .invalidateKey)
    let bucket = SGLDescriptor.bitBucket(length: 512)
    #expect(bucket.kind == .bitBucket && bucket.length == 512)
    let capsule = SGLDescriptor.inCapsule(offset: 64, length: 8192)
    #expect(capsule.kind == .dataBlock && capsule.subtype == .offset && capsule.address == 64)
    #expect(SGLDescriptor.memory(address: 1, length: 2).subtype == .address)
  }

  @Test func commandNames() {
    #expect(SubmissionQueueEntry.identify(.controller).commandName(onAdminQueue: true) == "Identify")
    #expect(
      SubmissionQueueEntry.read(namespaceIdentifier: 1, startingLBA: 0, blockCount: 1)
        .commandName(onAdminQueue: false) == "Read")
    #expect(SubmissionQueueEntry.propertyGet(.version).commandName(onAdminQueue: true) == "Property Get")
    #expect(SubmissionQueueEntry(opcode: 0xC3).commandName(onAdminQueue: false) == "I/O command C3h")
    #expect(AdminOpcode.allCases.allSatisfy { !$0.name.isEmpty } && IOOpcode.allCases.allSatisfy { !$0.name.isEmpty })
  }

  private func decodeRanges(count: Int) throws -> [DatasetManagementRange] {
    let bytes = Vector.datasetManagementRanges.bytes
    return try DatasetManagementRange.decode(bytes.span.bytes, count: count)
  }
}
