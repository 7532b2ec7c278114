internal import BlockDevice
internal import NVMeHost
internal import NVMeProtocol
internal import NVMeTCPProtocol
internal import Synchronization

/// The discovery service (NVMe Base 2.1, sections 3.1.3.3 and 5.1.12.3.1).
enum DiscoveryCases {
  static let all = [
    ConformanceCase("discovery.log", "the discovery log names the subsystem under test") { context in
      try await offPool {
        let log = try readLog(context.target)
        context.notes.add("generation \(log.generation), \(log.entries.count) entries")
        for entry in log.entries.prefix(20) { context.notes.add("\(entry.nqn) at \(entry.address):\(entry.service)") }
        try expect(
          log.entries.contains { $0.nqn == context.target.subsystemNQN },
          "no entry names \(context.target.subsystemNQN)")
      }
    },
    ConformanceCase(
      "discovery.many", "a log of very many subsystems is complete, and its generation changes with it",
      needs: .control, deadline: .seconds(240)
    ) { context in
      let control = try context.requireControl()
      let prefix = "nqn.2026-01.io.nvmeof.conformance:many-"
      let count = 130
      let before = try await offPool { try readLog(context.target) }
      let result = await Result.catching {
        try await control.addSubsystems(prefix: prefix, count: count)
        let after = try await offPool { try readLog(context.target) }
        // A log may name each subsystem once for each of the target's ports.
        let added = after.entries.count - before.entries.count
        try expect(added >= count && added % count == 0, "\(count) subsystems have added \(added) entries")
        try expectEqual(
          Set(after.entries.map(\.nqn).filter { $0.hasPrefix(prefix) }).count, count, "the number of added subsystems")
        try expect(after.generation != before.generation, "the generation is still \(after.generation)")
        // The host library reads the same.
        try await HostSession.with(context, discoveryOptions) { session in
          let entries = try await readLog(session)
          try expectEqual(entries.map(\.subsystemNQN), after.entries.map(\.nqn), "the log as the host library reads it")
        }
      }
      try await control.removeSubsystems(prefix: prefix)
      try result.get()
      let end = try await offPool { try readLog(context.target) }
      try expectEqual(end.entries.count, before.entries.count, "the number of entries afterwards")
    },
    ConformanceCase(
      "discovery.news", "a connected host is told that the discovery log has changed", needs: .control,
      deadline: .seconds(60)
    ) { context in
      let control = try context.requireControl()
      let prefix = "nqn.2026-01.io.nvmeof.conformance:news-"
      try await HostSession.with(context, discoveryOptions) { session in
        _ = try await readLog(session)
        let count = Mutex(0)
        let observer = session.controller.addObserver { notice in
          if notice == .discoveryLogChanged { count.withLock { $0 += 1 } }
        }
        defer { session.controller.removeObserver(observer) }
        let result = await Result.catching {
          try await control.addSubsystems(prefix: prefix, count: 1)
          try await session.wait(for: "the news") { count.withLock { $0 } > 0 }
          let entries = try await readLog(session)
          try expect(
            entries.contains { $0.subsystemNQN.hasPrefix(prefix) }, "the log does not have the subsystem that was added"
          )
        }
        try await control.removeSubsystems(prefix: prefix)
        try result.get()
      }
    },
    ConformanceCase(
      "discovery.persistent",
      "a discovery service that is watched tells of subsystems that come and go, and of those that did while it was lost",
      needs: .control, deadline: .seconds(120)
    ) { context in
      let control = try context.requireControl()
      let prefix = "nqn.2026-01.io.nvmeof.conformance:watched-"
      try await DiscoverySession.with(context) { session in
        let count = Mutex(0)
        let observer = session.discovery.addObserver { event in
          if case .detach(let paths) = event { count.withLock { $0 += paths.count } }
        }
        defer { session.discovery.removeObserver(observer) }
        let subject = context.target.subsystemNQN
        try expect(session.offers(subject), "the log does not have the subsystem under test")
        let result = await Result.catching {
          for _ in 0..<3 {
            try await control.addSubsystems(prefix: prefix, count: 3)
            try await session.wait(for: "the subsystems that were added") { session.count(prefix) == 3 }
            try await control.removeSubsystems(prefix: prefix)
            try await session.wait(for: "the subsystems' end") { session.count(prefix) == 0 }
          }
          // Nothing goes because the connection does; what has changed meanwhile is found afterwards.
          let detached = count.withLock { $0 }
          try await control.killConnections()
          try await control.addSubsystems(prefix: prefix, count: 1)
          try await session.wait(for: "the subsystem that came without a connection") { session.count(prefix) == 1 }
          try expectEqual(count.withLock { $0 }, detached, "the number of paths detached by a loss")
          try await control.removeSubsystems(prefix: prefix)
          try await session.wait(for: "its end") { session.count(prefix) == 0 }
          try expect(session.offers(subject), "the subsystem under test has gone from what is offered")
        }
        try await control.removeSubsystems(prefix: prefix)
        try result.get()
        let reconnects = session.losses
        context.notes.add("connection lost and made again \(reconnects) times")
        try expect(reconnects > 0, "the connection was never lost")
      }
    },
    ConformanceCase("discovery.no-io-queues", "a discovery controller has no I/O queues") { context in
      try await offPool {
        let controller = try RawController(discoveryService(context.target))
        try controller.enable()
        do {
          let (_, completion) = try controller.connectQueue(1)
          try expectNotSuccess(completion, of: "Connect of an I/O queue to a discovery controller")
          context.notes.add(completion.statusText)
        } catch let error as RawError where error.isEndOfConnection {
          context.notes.add("\(error)")
        }
      }
    },
  ]

  private static var discoveryOptions: HostOptions {
    var options = HostOptions()
    options.isDiscovery = true
    options.subsystemNQN = NVMeQualifiedName.discovery
    return options
  }

  /// Reads the whole log with the host library.
  private static func readLog(_ session: HostSession) async throws -> [DiscoveryLogEntry] {
    var reader = DiscoveryLogReader()
    while let read = reader.nextRead() {
      let reply = try await session.controller.admin(read.command, dataInByteCount: read.byteCount)
      try reader.handle(reply.completion.status, data: reply.data)
    }
    return reader.entries
  }

  private struct Entry {
    var nqn: String
    var address: String
    var service: String
  }

  private struct Log {
    var generation: UInt64
    var entries: [Entry]
  }

  private static func discoveryService(_ target: ConformanceTarget) -> ConformanceTarget {
    var service = target
    service.subsystemNQN = NVMeQualifiedName.discovery
    return service
  }

  /// Reads the whole log in pieces, again when it changed meanwhile.
  private static func readLog(_ target: ConformanceTarget) throws -> Log {
    let controller = try RawController(discoveryService(target))
    try controller.enable()
    for _ in 0..<5 {
      let header = try page(controller, offset: 0, byteCount: 1024)
      let generation = header.littleEndian(at: 0, count: 8)
      let count = header.littleEndian(at: 8, count: 8)
      try expect(count <= 100_000, "the discovery log says it has \(count) entries")
      try expectEqual(header.littleEndian(at: 16, count: 2), 0, "RECFMT")
      var entries: [Entry] = []
      while entries.count < Int(count) {
        let pieces = min(Int(count) - entries.count, 7)
        let bytes = try page(controller, offset: UInt64(1 + entries.count) * 1024, byteCount: pieces * 1024)
        for index in 0..<pieces {
          // TRSVCID at 32, SUBNQN at 256, TRADDR at 512.
          entries.append(
            Entry(
              nqn: text(bytes, index * 1024 + 256, 256), address: text(bytes, index * 1024 + 512, 256),
              service: text(bytes, index * 1024 + 32, 32)))
        }
      }
      if try page(controller, offset: 0, byteCount: 1024).littleEndian(at: 0, count: 8) == generation {
        return Log(generation: generation, entries: entries)
      }
    }
    throw ConformanceFailure("the discovery log changed each time it was read")
  }

  private static func page(_ controller: RawController, offset: UInt64, byteCount: Int) throws -> [UInt8] {
    let completion = try controller.admin.execute(
      .getLogPage(.discovery, byteCount: byteCount, offset: offset), readByteCount: byteCount,
      "reading the discovery log")
    try expectStatus(completion, .success, of: "Get Log Page (discovery) at \(offset)")
    try expectEqual(completion.data.count, byteCount, "the length of the discovery log's piece")
    return completion.data
  }

  /// An ASCII field, padded with zeroes or spaces.
  private static func text(_ bytes: [UInt8], _ offset: Int, _ count: Int) -> String {
    let field = bytes[offset..<offset + count].prefix { $0 != 0 }
    return String(decoding: field, as: UTF8.self).trimmingSpaces()
  }
}

extension String {
  fileprivate func trimmingSpaces() -> String {
    var text = self[...]
    while text.last == " " { text = text.dropLast() }
    return String(text)
  }
}
