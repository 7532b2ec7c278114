internal import BlockDevice
internal import NVMeProtocol

/// Commands besides read and write.
enum OperationCases {
  static let all = [
    ConformanceCase("operations.flush", "flush succeeds, also with writes just before it", needs: .destructive) {
      context in
      try await DataCases.eachNamespace(context) { _, check in
        try await check.device.flush()
        let buffer = Buffer(byteCount: check.blockByteCount)
        buffer.fill(seed: 77)
        try await check.write(buffer, at: 9)
        try await check.device.flush()
      }
    },
    ConformanceCase("operations.force-unit-access", "reads and writes with FUA succeed", needs: .destructive) {
      context in
      try await DataCases.eachNamespace(context) { _, check in
        let buffer = Buffer(byteCount: check.blockByteCount * 4)
        buffer.fill(seed: 78)
        try await check.device.write(at: 4, from: UnsafeRawBufferPointer(buffer.bytes), options: .forceUnitAccess)
        let back = Buffer(byteCount: check.blockByteCount * 4)
        try await check.device.read(at: 4, into: back.bytes, options: .forceUnitAccess)
        try expect(back.isEqual(to: buffer), "blocks written with FUA read back differently")
      }
    },
    ConformanceCase(
      "operations.write-zeroes", "zeroed blocks read as zeroes, their neighbours do not", needs: .destructive
    ) { context in
      try await needing(.writeZeroes, "Write Zeroes", context) { check in
        for count in [1, 7, 200] where UInt64(count) + 20 < check.blockCount {
          try await ruin(check, count + 2) {
            try await check.device.writeZeroes(at: 10, blockCount: UInt32(count))
          } expecting: { offset in
            offset == 0 || offset == count + 1 ? nil : 0
          }
        }
      }
    },
    ConformanceCase(
      "operations.discard", "discarded blocks can be read and written, their neighbours are unharmed",
      needs: .destructive
    ) { context in
      try await needing(.discard, "Dataset Management", context) { check in
        for count in [1, 7, 200] where UInt64(count) + 20 < check.blockCount {
          try await ruin(check, count + 2) {
            try await check.device.discard(at: 10, blockCount: UInt32(count))
          } expecting: { _ in
            nil
          }
          try await check.writeAndVerify(at: 10, count: count, seed: 79)
        }
      }
    },
    ConformanceCase("operations.compare", "compare succeeds on equal blocks and fails on others", needs: .destructive) {
      context in
      try await needing(.compare, "Compare", context) { check in
        for count in [1, 8, 100] where UInt64(count) + 20 < check.blockCount {
          let buffer = Buffer(byteCount: check.blockByteCount * count)
          buffer.fill(seed: 80)
          try await check.write(buffer, at: 12)
          try await check.device.compare(at: 12, Array(buffer.bytes))
          buffer.bytes[buffer.bytes.count - 1] ^= 1
          do {
            try await check.device.compare(at: 12, Array(buffer.bytes))
            throw ConformanceFailure("compare of different blocks succeeded")
          } catch let error as BlockError {
            guard case .failed(.compareMismatch, _) = error.cause else { throw error }
          }
        }
      }
    },
    ConformanceCase("operations.verify", "verify succeeds on blocks that can be read") { context in
      try await HostSession.with(context) { session in
        let identifier =
          context.target.namespaceIdentifiers.first ?? session.controller.snapshot.namespaces.keys.sorted().first
        guard let identifier else { throw ConformanceSkip("the subsystem has no active namespace") }
        let device = try session.device(identifier)
        guard device.capabilities.contains(.verify) else { throw ConformanceSkip("the target has no Verify (ONCS)") }
        try await device.verify(at: 0, blockCount: UInt32(min(device.geometry.blockCount, 64)))
      }
    },
    ConformanceCase("operations.unsupported", "commands that ONCS does not name are refused with Invalid Opcode") {
      context in
      try await offPool {
        let controller = try RawController(context.target)
        let queue = try controller.readyQueue()
        let namespace = try RawNamespace(controller)
        let supported = OptionalIOCommands(
          rawValue: UInt16(try controller.identify(.controller).littleEndian(at: 520, count: 2)))
        let missing = OptionalCommand.all(namespace).filter { !supported.contains($0.bit) }
        guard !missing.isEmpty else {
          throw ConformanceSkip("the target has every command that changes nothing to try (ONCS)")
        }
        for command in missing {
          let completion = try queue.execute(
            command.entry, writing: command.data, readByteCount: command.readByteCount, "sending \(command.name)")
          try expectStatus(completion, .invalidCommandOpcode, of: command.name)
          context.notes.add("\(command.name): \(completion.statusText)")
        }
      }
    },
  ]

  /// Runs `body` with each namespace under test that has the capability.
  private static func needing(
    _ capability: BlockCapabilities, _ name: String, _ context: ConformanceContext,
    _ body: @escaping (DeviceCheck) async throws -> Void
  ) async throws {
    var count = 0
    try await DataCases.eachNamespace(context) { _, check in
      guard check.device.capabilities.contains(capability) else { return }
      count += 1
      try await body(check)
    }
    if count == 0 { throw ConformanceSkip("the target has no \(name) (ONCS)") }
  }

  /// Fills blocks from 9 on, has something done to blocks from 10 on, and looks at each.
  /// - Parameter expecting: what the block at this offset must be full of; nil for the first and the last: unharmed; nil
  ///   for others: anything, as long as it reads.
  private static func ruin(
    _ check: DeviceCheck, _ count: Int, _ body: () async throws -> Void, expecting: (Int) -> UInt8?
  ) async throws {
    let before = Buffer(byteCount: check.blockByteCount * count)
    before.fill(seed: 81)
    try await check.write(before, at: 9)
    try await body()
    let after = Buffer(byteCount: check.blockByteCount * count)
    try await check.read(after, at: 9)
    for index in 0..<count {
      let range = index * check.blockByteCount..<(index + 1) * check.blockByteCount
      if index == 0 || index == count - 1 {
        try expect(
          after.bytes[range].elementsEqual(before.bytes[range]), "block \(9 + index), outside the range, was changed")
      } else if let byte = expecting(index) {
        try expect(after.bytes[range].allSatisfy { $0 == byte }, "block \(9 + index) is not full of \(byte)")
      }
    }
  }
}
