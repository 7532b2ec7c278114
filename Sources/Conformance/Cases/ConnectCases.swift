internal import NVMeHost
internal import NVMeProtocol
internal import NVMeTCPProtocol

/// Connect, and everything it can be refused for (NVMe Base 2.1, sections 3.1.2, 3.3.2 and 6.3).
enum ConnectCases {
  static let all = [
    ConformanceCase("connect.admin", "an admin queue is connected, the controller enabled and identified") { context in
      try await offPool {
        let controller = try RawController(context.target)
        try expect(controller.controllerIdentifier < 0xFFF0, "CNTLID is \(controller.controllerIdentifier)")
        let version = try controller.property(.version)
        let capabilities = try controller.property(.controllerCapabilities)
        context.notes.add(
          "VS \(version >> 16).\(version >> 8 & 0xFF).\(version & 0xFF), MQES \(capabilities & 0xFFFF), "
            + "TO \(capabilities >> 24 & 0xFF) × 500 ms")
        try expect(capabilities & 0xFFFF > 0, "CAP.MQES is 0")
        try controller.enable()
        let data = try controller.identify(.controller)
        try expectEqual(
          UInt16(data.littleEndian(at: 78, count: 2)), controller.controllerIdentifier, "Identify's CNTLID")
        let nqn = String(decoding: data[768..<1024].prefix { $0 != 0 }, as: UTF8.self)
        try expectEqual(nqn, context.target.subsystemNQN, "Identify's SUBNQN")
        context.notes.add(
          "IOCCSZ \(data.littleEndian(at: 1792, count: 4)), IORCSZ \(data.littleEndian(at: 1796, count: 4)), "
            + "MDTS \(data[77]), MAXCMD \(data.littleEndian(at: 514, count: 2)), "
            + "ONCS \(String(data.littleEndian(at: 520, count: 2), radix: 16))h")
        try expect(data.littleEndian(at: 1792, count: 4) >= 4, "IOCCSZ is \(data.littleEndian(at: 1792, count: 4))")
        try expect(data[536] & 0b11 != 0, "SGLS says that SGLs are not supported")
      }
    },
    ConformanceCase("connect.second-port", "another port leads to the same subsystem", needs: .secondPort) { context in
      try await offPool {
        let first = try RawController(context.target)
        let second = try RawController(context.target, port: context.target.secondPort)
        try first.enable()
        try second.enable()
        let (one, two) = (try first.identify(.controller), try second.identify(.controller))
        try expect(one[4..<24] == two[4..<24], "the serial numbers differ")
        try expect(first.controllerIdentifier != second.controllerIdentifier, "both controllers have the same CNTLID")
        let third = try RawController(context.target)
        try expect(
          third.controllerIdentifier != first.controllerIdentifier
            && third.controllerIdentifier != second.controllerIdentifier,
          "a third controller has the CNTLID of another one")
      }
    },
    refusal(
      "connect.unknown-subsystem", "an unknown subsystem is refused", .connectInvalidParameters,
      data: { $0.subsystemNQN = "nqn.2026-01.io.nvmeof.conformance:does-not-exist" }),
    refusal(
      "connect.bad-controller", "an admin queue of a given controller is refused", .connectInvalidParameters,
      data: { $0.controllerIdentifier = 0x7E57 }),
    refusal(
      "connect.bad-record-format", "an unknown record format is refused", .connectIncompatibleFormat,
      command: { $0.cdw10 |= 0x7FFF }),
    refusal(
      "connect.queue-size-zero", "a queue of size 0 is refused", .connectInvalidParameters,
      command: { $0.cdw11 &= 0xFFFF_0000 }),
    ConformanceCase(
      "connect.host-not-allowed", "a host that is not allowed is refused, and admitted once it is", needs: .control
    ) { context in
      let control = try context.requireControl()
      guard let closed = control.closedSubsystemNQN else { throw ConformanceSkip("there is no closed subsystem") }
      var target = context.target
      target.subsystemNQN = closed
      let completion = try await connect(target) { _ in }
      try expectStatus(completion, .connectInvalidHost, of: "Connect of a host that is not allowed")
      try await control.allowHost(target.identity.hostNQN)
      let admitted = target
      let result = await Swift.Result.catching { try await connect(admitted) { _ in } }
      try await control.disallowHost(target.identity.hostNQN)
      try expectStatus(try result.get(), .success, of: "Connect of an allowed host")
    },
    queueRefusal(
      "connect.io-queue-unknown-controller", "an I/O queue of a controller that does not exist is refused",
      [.connectInvalidParameters]
    ) { $0.controllerIdentifier = $0.controllerIdentifier &+ 0x4000 },
    queueRefusal(
      "connect.io-queue-other-host", "an I/O queue by another host is refused",
      [.connectInvalidParameters, .connectInvalidHost]
    ) {
      $0.hostNQN = "nqn.2014-08.org.nvmexpress:uuid:00000000-0000-4000-8000-000000000000"
      $0.hostIdentifier = [UInt8](repeating: 0x11, count: 16)
    },
    ConformanceCase("connect.io-queue-identifier", "an I/O queue with an impossible identifier is refused") { context in
      try await offPool {
        let controller = try RawController(context.target)
        try controller.enable()
        try controller.requestOneQueue()
        let (_, completion) = try controller.connectQueue(0xFFFE)
        try expectStatus(
          completion, .connectInvalidParameters, .invalidQueueIdentifier, of: "Connect of queue 65534")
      }
    },
    ConformanceCase("connect.io-queue-size", "an I/O queue larger than MQES is refused") { context in
      try await offPool {
        let controller = try RawController(context.target)
        try controller.enable()
        try controller.requestOneQueue()
        let entries = try controller.property(.controllerCapabilities) & 0xFFFF + 1
        guard entries < 0xFFFF else { throw ConformanceSkip("queues may be as large as they can be (MQES)") }
        let (_, completion) = try controller.connectQueue(1, entries: UInt16(entries) + 1)
        try expectStatus(
          completion, .connectInvalidParameters, .invalidQueueSize, of: "Connect of \(entries + 1) entries")
        let (_, largest) = try controller.connectQueue(1, entries: UInt16(entries))
        try expectStatus(largest, .success, of: "Connect of \(entries) entries")
      }
    },
    ConformanceCase("connect.io-queue-twice", "an I/O queue that exists is not connected again") { context in
      try await offPool {
        let controller = try RawController(context.target)
        let first = try controller.readyQueue()
        let (_, completion) = try controller.connectQueue(1)
        try expectError(completion, .commandSequenceError, of: "a second Connect of queue 1", context.notes)
        // The first one is none the worse for it.
        let namespace = try RawNamespace(controller)
        try first.contents(namespace)
      }
    },
    ConformanceCase("connect.command-first", "a command before Connect is not carried out") { context in
      try await offPool {
        let connection = try RawConnection(context.target)
        try connection.initialize()
        do {
          let completion = try connection.execute(
            .identify(.controller), readByteCount: IdentifyStructure.byteCount, "identifying before Connect")
          try expectStatus(
            completion, .commandSequenceError, .invalidCommandOpcode, .invalidFieldInCommand,
            of: "Identify before Connect")
        } catch let error as RawError where error.isEndOfConnection {
          context.notes.add("\(error)")
        }
      }
    },
  ]

  /// Connects an admin queue with changed data or a changed command.
  private static func connect(
    _ target: ConformanceTarget, data change: @escaping @Sendable (inout RawConnectData) -> Void,
    command changeCommand: @escaping @Sendable (inout SubmissionQueueEntry) -> Void = { _ in }
  ) async throws -> RawCompletion {
    try await offPool {
      let connection = try RawConnection(target)
      try connection.initialize()
      var data = RawConnectData(target)
      change(&data)
      var command = SubmissionQueueEntry.fabricsConnect(queueIdentifier: 0, entries: 32)
      changeCommand(&command)
      return try connection.execute(command, writing: data.bytes, "connecting")
    }
  }

  private static func refusal(
    _ identifier: String, _ title: String, _ expected: StatusField,
    command: @escaping @Sendable (inout SubmissionQueueEntry) -> Void = { _ in },
    data: @escaping @Sendable (inout RawConnectData) -> Void = { _ in }
  ) -> ConformanceCase {
    ConformanceCase(identifier, title) { context in
      let completion = try await connect(context.target, data: data, command: command)
      context.notes.add(completion.statusText)
      try expectStatus(completion, expected, of: "Connect")
    }
  }

  private static func queueRefusal(
    _ identifier: String, _ title: String, _ expected: [StatusField],
    data: @escaping @Sendable (inout RawConnectData) -> Void
  ) -> ConformanceCase {
    ConformanceCase(identifier, title) { context in
      try await offPool {
        let controller = try RawController(context.target)
        try controller.enable()
        try controller.requestOneQueue()
        let (_, completion) = try controller.connectQueue(1, changing: data)
        context.notes.add(completion.statusText)
        try expectStatus(completion, expected, of: "Connect of the I/O queue")
      }
    }
  }
}

extension Result where Failure == any Error {
  /// The result of an asynchronous closure, so that something can be put back before it is looked at.
  static func catching(_ body: () async throws -> Success) async -> Self {
    do { return .success(try await body()) } catch { return .failure(error) }
  }
}
