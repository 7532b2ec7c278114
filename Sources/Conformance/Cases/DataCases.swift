internal import BlockDevice
internal import NVMeTCPProtocol

/// Data in both directions, around every boundary there is, through the host library.
enum DataCases {
  static let all = [
    ConformanceCase(
      "data.digests", "data survives with every combination of digests", needs: .destructive, deadline: .seconds(120)
    ) { context in
      for (header, data) in [(false, false), (true, false), (false, true), (true, true)] {
        var options = HostOptions()
        options.headerDigest = header
        options.dataDigest = data
        try await eachNamespace(context, options) { _, check in
          for (index, count) in [1, 3, 8, 100].enumerated() where UInt64(count) + 2 < check.blockCount {
            try await check.writeAndVerify(at: UInt64(index) * 7 + 1, count: count, seed: UInt64(count))
          }
        }
      }
    },
    ConformanceCase(
      "data.in-capsule-boundary", "writes around the capsule's size arrive as they were sent", needs: .destructive,
      deadline: .seconds(120)
    ) { context in
      try await boundary(context) { controller, _ in controller.snapshot.maximumInCapsuleByteCount }
    },
    ConformanceCase(
      "data.h2cdata-boundary", "writes around MAXH2CDATA arrive as they were sent", needs: .destructive,
      deadline: .seconds(180)
    ) { context in
      let limit = try await offPool { Int(try RawConnection(context.target).initialize().maximumH2CDataLength) }
      try await boundary(context) { _, _ in limit }
    },
    ConformanceCase(
      "data.transfer-boundary", "transfers around the largest command arrive as they were sent", needs: .destructive,
      deadline: .seconds(240)
    ) { context in
      try await boundary(context) { _, check in
        // The controller's or the host's own limit: where requests begin to be split.
        Int(check.device.geometry.maximumTransferByteCount)
      }
    },
    ConformanceCase(
      "data.vectors", "memory in odd pieces is written and read as if it were in one", needs: .destructive,
      deadline: .seconds(120)
    ) { context in
      for hasDigests in [false, true] {
        var options = HostOptions()
        options.headerDigest = hasDigests
        options.dataDigest = hasDigests
        try await eachNamespace(context, options) { controller, check in
          let capsule = controller.snapshot.maximumInCapsuleByteCount / check.blockByteCount
          let shapes: [[Int]] = [
            [1], [1, 1, 1], [check.blockByteCount - 1], [check.blockByteCount + 1], [3, 5, 7, 511, 513, 4097],
            Array(repeating: 1, count: 64), [0, 13, 0, 499],
          ]
          for count in [1, capsule, capsule + 1, capsule + 33] where count > 0 && UInt64(count) + 2 < check.blockCount {
            for (index, pieces) in shapes.enumerated() {
              try await check.writeAndVerify(
                at: UInt64(index + 1), count: count, seed: UInt64(index * 1000 + count), pieces: pieces)
            }
          }
        }
      }
    },
    ConformanceCase(
      "data.last-blocks", "the first and the last blocks can be written and read", needs: .destructive
    ) { context in
      try await eachNamespace(context) { _, check in
        for count in [1, 2, 9] where UInt64(count) <= check.blockCount {
          try await check.writeAndVerify(at: 0, count: count, seed: 11)
          try await check.writeAndVerify(at: check.blockCount - UInt64(count), count: count, seed: 13)
        }
      }
    },
    ConformanceCase(
      "data.full-pass", "every block of a namespace is written and reads back with the right CRC",
      needs: .destructive, deadline: .seconds(600)
    ) { context in
      try await eachNamespace(context) { controller, check in
        let blocks = max(1, 65536 / check.blockByteCount)
        let byteCount = min(check.blockCount * UInt64(check.blockByteCount), 256 << 20)
        let requests = Int(byteCount) / (blocks * check.blockByteCount)
        guard requests > 0 else { throw ConformanceSkip("\(check.device.name) is smaller than 64 KiB") }
        context.notes.add("\(check.device.name): \(requests) × \(blocks * check.blockByteCount) bytes")
        let plan = ChannelLoad.Plan(
          queueDepth: 16, start: 0, requestCount: requests, blocksPerRequest: blocks, seed: 0xF0_11, writes: true)
        try await ChannelLoad.run([plan], on: check.device, reactors: [controller.home])
      }
    },
    ConformanceCase(
      "data.read-only-pass", "blocks read twice in another order have the same CRC", deadline: .seconds(180)
    ) { context in
      try await HostSession.with(context) { session in
        let identifier =
          context.target.namespaceIdentifiers.first
          ?? session.controller.snapshot.namespaces.keys.sorted().first
        guard let identifier else { throw ConformanceSkip("the subsystem has no active namespace") }
        let device = try session.device(identifier)
        let requests = Int(min(device.geometry.blockCount / 8, 1000))
        guard requests > 0 else { throw ConformanceSkip("the namespace has fewer than 8 blocks") }
        let plan = ChannelLoad.Plan(
          queueDepth: 32, start: 0, requestCount: requests, blocksPerRequest: 8, seed: 0, writes: false)
        try await ChannelLoad.run([plan], on: device, reactors: [session.controller.home])
      }
    },
    ConformanceCase(
      "data.backing", "the target's own system finds the bytes that were written, and writes what is read",
      needs: [.destructive, .control], deadline: .seconds(180)
    ) { context in
      let control = try context.requireControl()
      try await eachNamespace(context) { _, check in
        let identifier = (check.device as? NVMeBlockDevice)?.namespace.identifier ?? 0
        // An odd place, beginning and ending off every larger boundary, longer than a capsule.
        let start = UInt64(5)
        let count = max(3, 300 * 1024 / check.blockByteCount + 1)
        let buffer = Buffer(byteCount: count * check.blockByteCount)
        buffer.fill(seed: 0xBAC4)
        try await check.write(buffer, at: start)
        try await check.device.flush()
        let checksum = try await control.checksum(
          namespace: identifier, offset: Int(start) * check.blockByteCount, count: buffer.bytes.count)
        try expectEqual(checksum, buffer.crc32(), "the CRC-32 of \(check.device.name) on the target's side")

        try await control.fill(
          namespace: identifier, offset: Int(start + 1) * check.blockByteCount, count: check.blockByteCount, with: 0x6D)
        let block = Buffer(byteCount: check.blockByteCount)
        try await check.read(block, at: start + 1)
        try expect(
          block.bytes.allSatisfy { $0 == 0x6D },
          "\(check.device.name) does not read as the target wrote it: \(Array(block.bytes.prefix(16)))")
      }
    },
  ]

  /// Runs `body` with each namespace under test, over one association.
  static func eachNamespace(
    _ context: ConformanceContext, _ options: HostOptions = HostOptions(),
    _ body: (Controller, DeviceCheck) async throws -> Void
  ) async throws {
    try await HostSession.with(context, options) { session in
      for identifier in context.target.namespaceIdentifiers {
        try await body(session.controller, DeviceCheck(try session.device(identifier)))
      }
    }
  }

  /// Writes and reads one block less, as much and one block more than a limit, without digests and with all.
  private static func boundary(
    _ context: ConformanceContext, _ limit: (Controller, DeviceCheck) -> Int
  ) async throws {
    for hasDigests in [false, true] {
      var options = HostOptions()
      options.headerDigest = hasDigests
      options.dataDigest = hasDigests
      try await eachNamespace(context, options) { controller, check in
        let blocks = limit(controller, check) / check.blockByteCount
        if !hasDigests { context.notes.add("\(check.device.name): the limit is at \(blocks) blocks") }
        guard UInt64(blocks) + 3 <= check.blockCount, blocks * check.blockByteCount <= 64 << 20 else {
          context.notes.add("\(check.device.name): too small for \(blocks) blocks, or the limit too large to be tried")
          return
        }
        for count in [blocks - 1, blocks, blocks + 1] where count > 0 {
          try await check.writeAndVerify(at: 1, count: count, seed: UInt64(count))
        }
      }
    }
  }
}
