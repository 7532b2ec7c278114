internal import NVMeProtocol
internal import NVMeTCPProtocol

/// Commands a target must refuse, and damage it must notice, at the level of PDUs.
enum CommandCases {
  static let all = [
    ConformanceCase("admin.unknown-opcode", "an unknown admin command is refused") { context in
      try await withController(context) { controller in
        let completion = try controller.admin.execute(SubmissionQueueEntry(opcode: 0xFE), "sending opcode FEh")
        try expectStatus(completion, .invalidCommandOpcode, of: "admin opcode FEh")
      }
    },
    ConformanceCase("admin.unknown-log-page", "an unknown log page is refused") { context in
      try await withController(context) { controller in
        let completion = try controller.admin.execute(
          .getLogPage(LogPageIdentifier(rawValue: 0x6F), byteCount: 512), readByteCount: 512, "getting log page 6Fh")
        try expectStatus(completion, .invalidLogPage, .invalidFieldInCommand, of: "Get Log Page 6Fh")
      }
    },
    ConformanceCase("admin.active-namespaces", "the active namespace list ascends and each can be identified") {
      context in
      try await withController(context) { controller in
        let identifiers = try RawNamespace.activeIdentifiers(controller)
        try expect(identifiers == identifiers.sorted(), "the list is not in order: \(identifiers)")
        try expectEqual(Set(identifiers).count, identifiers.count, "the number of different identifiers")
        for identifier in identifiers.prefix(32) {
          let namespace = try RawNamespace(controller, identifier)
          context.notes.add("namespace \(identifier): \(namespace.blockCount) × \(namespace.blockByteCount) bytes")
        }
        for identifier in context.target.namespaceIdentifiers {
          try expect(identifiers.contains(identifier), "namespace \(identifier) is not active")
        }
      }
    },
    ConformanceCase("admin.invalid-namespace", "a namespace beyond NN is refused") { context in
      try await withController(context) { controller in
        let count = try controller.identify(.controller).littleEndian(at: 516, count: 4)
        guard count < 0xFFFF_FFFE else { throw ConformanceSkip("every namespace identifier is possible (NN)") }
        let completion = try controller.admin.execute(
          .identify(.namespace, namespaceIdentifier: UInt32(count) + 1), readByteCount: IdentifyStructure.byteCount,
          "identifying namespace \(count + 1)")
        if completion.status.isSuccess, completion.data.allSatisfy({ $0 == 0 }) {
          try expectEqual(completion.data.count, IdentifyStructure.byteCount, "the length of Identify's data")
          context.notes.deviation("Identify of the invalid namespace \(count + 1) succeeds with zeroes")
        } else {
          try expectError(
            completion, .invalidNamespaceOrFormat, of: "Identify of namespace \(count + 1)", context.notes)
        }
      }
    },
    ConformanceCase("admin.event-limit", "more Asynchronous Event Requests than AERL allows are refused") { context in
      try await withController(context) { controller in
        let limit = Int(try controller.identify(.controller)[259]) + 1
        context.notes.add("\(limit) requests may be outstanding")
        // A queue of 32 entries holds 31 commands (NVMe Base 2.1, section 3.3.1.4).
        guard limit < 31 else { throw ConformanceSkip("the admin queue has no room for AERL + 2 requests") }
        var last: UInt16 = 0
        for _ in 0...limit {
          let (bytes, identifier) = controller.admin.capsule(.asynchronousEventRequest())
          try controller.admin.send(bytes, "sending an Asynchronous Event Request")
          last = identifier
        }
        let completion = try controller.admin.completion(of: last, "waiting for the refusal")
        try expectStatus(
          completion, .asynchronousEventRequestLimitExceeded, of: "request \(limit + 1)")
      }
    },
    ConformanceCase("admin.before-enable", "an admin command before CC.EN is refused") { context in
      try await offPool {
        let controller = try RawController(context.target)
        let completion = try controller.admin.execute(
          .identify(.controller), readByteCount: IdentifyStructure.byteCount, "identifying before CC.EN")
        try expectError(completion, .commandSequenceError, of: "Identify before CC.EN", context.notes)
        try controller.enable()
        _ = try controller.identify(.controller)
      }
    },
    ConformanceCase(
      "admin.property-size", "a property is not had in another size than its own, nor written if read-only"
    ) { context in
      try await offPool {
        let controller = try RawController(context.target)
        let admin = controller.admin
        let capabilities = try controller.property(.controllerCapabilities)
        let half = try admin.execute(
          .propertyGet(ControllerProperty(offset: 0, isEightBytes: false)), "getting 4 bytes of CAP")
        // Some targets serve halves on purpose; a wrong one is nothing that hosts can live with.
        if half.status.isSuccess, half.entry.dword0 == UInt32(truncatingIfNeeded: capabilities) {
          context.notes.deviation("Property Get of 4 bytes of CAP succeeds with its lower half")
        } else {
          try expectError(half, .invalidFieldInCommand, of: "Property Get of 4 bytes of CAP", context.notes)
        }
        let commands: [(String, SubmissionQueueEntry)] = [
          ("Property Get of 8 bytes of VS", .propertyGet(ControllerProperty(offset: 8, isEightBytes: true))),
          ("Property Set of VS", .propertySet(.version, value: 0)),
          ("Property Set of CSTS", .propertySet(.controllerStatus, value: 1)),
        ]
        for (name, command) in commands {
          let completion = try admin.execute(command, "sending a \(name)")
          try expectError(completion, .invalidFieldInCommand, of: name, context.notes)
        }
      }
    },
    ConformanceCase("admin.abort-unknown", "Abort of a command that is not there says that nothing was aborted") {
      context in
      try await withController(context) { controller in
        let completion = try controller.admin.execute(
          .abort(commandIdentifier: 0xF00D, queueIdentifier: 0), "aborting a command that is not there")
        try expectStatus(completion, .success, of: "Abort")
        try expectEqual(completion.entry.dword0 & 1, 1, "bit 0 of Abort's dword 0 (not aborted)")
      }
    },
    ConformanceCase("io.submission-queue-head", "answers tell the head of the submission queue, which goes round") {
      context in
      try await offPool {
        let controller = try RawController(context.target)
        let entries: UInt16 = 8
        let queue = try controller.readyQueue(entries: entries)
        let namespace = try RawNamespace(controller)
        var heads: [UInt16] = []
        for _ in 0..<20 {
          let completion = try queue.read(namespace)
          try expectStatus(completion, .success, of: "Read")
          heads.append(completion.entry.submissionQueueHead)
        }
        for (head, next) in zip(heads, heads.dropFirst()) {
          try expect(head < entries && next == (head + 1) % entries, "SQHD of \(entries) entries goes \(heads)")
        }
      }
    },
    ConformanceCase("io.flow-control-off", "a queue without flow control works, whether or not it was granted") {
      context in
      try await offPool {
        let controller = try RawController(context.target)
        try controller.enable()
        try controller.requestOneQueue()
        let (queue, connected) = try controller.connectQueue(1, hasFlowControl: false)
        try expectStatus(connected, .success, of: "Connect of I/O queue 1")
        // SQHD FFFFh grants it; SUCCESS may stand in for responses only then.
        queue.hasFlowControl = connected.entry.submissionQueueHead != 0xFFFF
        context.notes.add("flow control is \(queue.hasFlowControl ? "on all the same" : "off")")
        let namespace = try RawNamespace(controller)
        for _ in 0..<40 { try queue.contents(namespace) }
        // A failure has a response capsule always.
        try expectInvalidNamespace(queue, namespace)
      }
    },
    ConformanceCase("io.pointers", "a command with PRPs is refused, as Fabrics have SGLs only") { context in
      try await withQueue(context) { queue, namespace in
        var command = SubmissionQueueEntry.read(
          namespaceIdentifier: namespace.identifier, startingLBA: 0, blockCount: 1)
        command.flags = 0
        let completion = try queue.execute(command, readByteCount: namespace.blockByteCount, "reading with PSDT 00b")
        try expectError(completion, .invalidFieldInCommand, of: "Read with PSDT 00b", context.notes)
      }
    },
    ConformanceCase("io.unknown-opcode", "an unknown I/O command is refused") { context in
      try await withQueue(context) { queue, namespace in
        let completion = try queue.execute(
          SubmissionQueueEntry(opcode: 0x7E, namespaceIdentifier: namespace.identifier), "sending opcode 7Eh")
        try expectStatus(completion, .invalidCommandOpcode, of: "I/O opcode 7Eh")
      }
    },
    ConformanceCase("io.invalid-namespace", "a read of a namespace that does not exist is refused") { context in
      try await withQueue(context) { queue, namespace in
        try expectInvalidNamespace(queue, namespace)
      }
    },
    ConformanceCase("io.out-of-range", "reads beyond the last block are refused, up to it they are not") { context in
      try await withQueue(context) { queue, namespace in
        let ranges: [(UInt64, Int, Bool)] = [
          (namespace.blockCount - 1, 1, true), (namespace.blockCount, 1, false), (namespace.blockCount - 1, 2, false),
          (.max, 1, false), (.max - 1, 4, false),
        ]
        for (address, count, isInside) in ranges {
          if isInside {
            try queue.contents(namespace, at: address, count: count)
          } else {
            try expectError(
              try queue.read(namespace, at: address, count: count), .lbaOutOfRange,
              of: "Read of \(count) blocks at \(address)", context.notes)
          }
        }
      }
    },
    ConformanceCase("io.largest-read", "a read as large as MDTS allows succeeds, a larger one is refused") { context in
      try await offPool {
        let controller = try RawController(context.target)
        let queue = try controller.readyQueue()
        let namespace = try RawNamespace(controller)
        let byteCount = try controller.maximumTransferByteCount()
        // Without a limit there are still the 16 bits of the block count.
        let limit = min(65536, byteCount.map { $0 / namespace.blockByteCount } ?? 65536)
        guard limit > 0 else { throw ConformanceSkip("a block is longer than MDTS allows") }
        guard UInt64(limit) < namespace.blockCount, limit * namespace.blockByteCount <= 64 << 20 else {
          throw ConformanceSkip("the namespace is too small for \(limit) blocks, or these are too large to be tried")
        }
        noteLimit(context, byteCount, limit, namespace)
        let largest = try queue.read(namespace, count: limit)
        if byteCount == nil, !largest.status.isSuccess {
          context.notes.deviation("MDTS names no limit, but a read of \(limit) blocks ends with \(largest.statusText)")
        } else {
          try expectStatus(largest, .success, of: "Read of \(limit) blocks")
          try expectEqual(largest.data.count, limit * namespace.blockByteCount, "the length of the data read")
        }
        if limit < 65536 {
          try expectError(
            try queue.read(namespace, count: limit + 1), .invalidFieldInCommand, of: "Read beyond MDTS", context.notes)
        }
        controller.admin.socket.close()
      }
    },
    ConformanceCase(
      "io.largest-write", "writes around MDTS arrive as they were sent, a larger one is refused", needs: .destructive,
      deadline: .seconds(120)
    ) { context in
      try await offPool {
        let controller = try RawController(context.target)
        let queue = try controller.readyQueue()
        let namespace = try RawNamespace(controller)
        let byteCount = try controller.maximumTransferByteCount()
        // Without a limit, a length that every target can be expected to take.
        let limit = min(65535, (byteCount ?? 1 << 20) / namespace.blockByteCount)
        guard limit > 0 else { throw ConformanceSkip("a block is longer than MDTS, or what it might be, allows") }
        guard UInt64(limit) < namespace.blockCount, limit * namespace.blockByteCount <= 16 << 20 else {
          throw ConformanceSkip("the namespace is too small for \(limit) blocks, or these are too large to be tried")
        }
        noteLimit(context, byteCount, limit, namespace)
        func write(_ count: Int) throws -> (RawCompletion, [UInt8]) {
          let data = (0..<count * namespace.blockByteCount).map {
            UInt8(truncatingIfNeeded: $0 &* 31 &+ $0 >> 9 &+ count)
          }
          let capsule = queue.capsule(
            .write(namespaceIdentifier: namespace.identifier, startingLBA: 0, blockCount: count),
            transferByteCount: data.count)
          try queue.send(capsule.bytes, "sending a write of \(count) blocks")
          return (try queue.completion(of: capsule.identifier, writing: data, "writing \(count) blocks"), data)
        }
        for count in [limit - 1, limit] where count > 0 {
          let (completion, data) = try write(count)
          try expectStatus(completion, .success, of: "Write of \(count) blocks")
          try expect(try queue.contents(namespace, count: count) == data, "\(count) blocks read back differently")
        }
        if byteCount != nil, limit < 65535 {
          try expectError(
            try write(limit + 1).0, .invalidFieldInCommand, of: "Write beyond MDTS", context.notes)
        }
        controller.admin.socket.close()
      }
    },
    ConformanceCase(
      "io.write-out-of-range", "writes beyond the last block are refused and change nothing", needs: .destructive
    ) { context in
      try await offPool {
        let controller = try RawController(context.target)
        let queue = try controller.readyQueue()
        let namespace = try RawNamespace(controller)
        let hasZeroes = try controller.identify(.controller).littleEndian(at: 520, count: 2) >> 3 & 1 == 1
        func write(_ address: UInt64, _ count: Int, _ byte: UInt8) throws -> RawCompletion {
          let data = [UInt8](repeating: byte, count: count * namespace.blockByteCount)
          let capsule = queue.capsule(
            .write(namespaceIdentifier: namespace.identifier, startingLBA: address, blockCount: count), writing: data)
          try queue.send(capsule.bytes, "writing block \(address)")
          return try queue.completion(of: capsule.identifier, writing: data, "writing block \(address)")
        }
        let last = namespace.blockCount - 1
        for address in [0, last] { try expectStatus(try write(address, 1, 0x6B), .success, of: "Write of \(address)") }
        for (address, count) in [(last + 1, 1), (last, 2), (.max, 1)] as [(UInt64, Int)] {
          try expectError(
            try write(address, count, 0x11), .lbaOutOfRange, of: "Write of \(count) blocks at \(address)", context.notes
          )
          guard hasZeroes else { continue }
          let zeroes = try queue.execute(
            .writeZeroes(namespaceIdentifier: namespace.identifier, startingLBA: address, blockCount: count), "zeroing")
          try expectError(
            zeroes, .lbaOutOfRange, of: "Write Zeroes of \(count) blocks at \(address)", context.notes)
        }
        // The first: addresses that go round would come to it.
        try expect(
          try queue.contents(namespace).allSatisfy { $0 == 0x6B },
          "block 0 was changed by a write beyond the last block")
      }
    },
    ConformanceCase(
      "io.r2t-limit", "no more R2Ts are outstanding than the host allows (MAXR2T), and they cover the data in order",
      needs: .destructive
    ) { context in
      try await offPool {
        let controller = try RawController(context.target)
        let queue = try controller.readyQueue()
        let namespace = try RawNamespace(controller)
        let byteCount = min(1 << 20, try controller.maximumTransferByteCount() ?? 1 << 20)
        let count = min(byteCount / namespace.blockByteCount, Int(clamping: namespace.blockCount), 65_536)
        let data = (0..<count * namespace.blockByteCount).map { UInt8(truncatingIfNeeded: $0 &* 7 &+ $0 >> 8) }
        guard try controller.inCapsuleByteCount() < data.count else { throw ConformanceSkip("all fits the capsule") }
        let capsule = queue.capsule(
          .write(namespaceIdentifier: namespace.identifier, startingLBA: 0, blockCount: count),
          transferByteCount: data.count)
        try queue.send(capsule.bytes, "sending a write")
        var requestedCount = 0
        while requestedCount < data.count {
          let pdu = try queue.receive("waiting for R2T")
          guard pdu.common.pduType == .readyToTransfer else {
            throw ConformanceFailure(
              "a PDU of type \(pdu.common.type) came when \(requestedCount) of \(data.count) bytes had been asked for")
          }
          let ready = pdu.load(ReadyToTransferHeader.init(loading:))
          try expectEqual(ready.commandIdentifier, capsule.identifier, "R2T's CCCID")
          try expectEqual(Int(ready.offset), requestedCount, "R2TO")
          requestedCount += Int(ready.length)
          try expect(requestedCount <= data.count, "R2Ts ask for \(requestedCount) of \(data.count) bytes")
          // MAXR2T 0 allows one: the next may only come for the last of this one's data.
          do {
            let second = try queue.receive("waiting for nothing", within: .milliseconds(100))
            throw ConformanceFailure("a PDU of type \(second.common.type) came before the data that R2T asked for")
          } catch RawError.timedOut {}
          try queue.send(data, for: ready, "sending the data")
        }
        let completion = try queue.completion(of: capsule.identifier, "waiting for the end of the write")
        try expectStatus(completion, .success, of: "Write of \(count) blocks")
        try expect(try queue.contents(namespace, count: count) == data, "\(count) blocks read back differently")
      }
    },
    ConformanceCase("io.header-digest", "a command with a wrong header digest ends the connection") { context in
      try await withQueue(context, digests: .header) { queue, namespace in
        let capsule = queue.capsule(
          .read(namespaceIdentifier: namespace.identifier, startingLBA: 0, blockCount: 1),
          transferByteCount: namespace.blockByteCount, corruptHeader: true)
        try expectEnd(context, "a wrong header digest") {
          try queue.send(capsule.bytes, "sending a wrong header digest")
          return try queue.receive("waiting for the end after a wrong header digest")
        }
      }
    },
    ConformanceCase(
      "io.data-digest", "a write with a wrong data digest fails", needs: .destructive
    ) { context in
      try await offPool {
        let controller = try RawController(context.target)
        let queue = try controller.readyQueue(request: ICRequest(digests: .data))
        guard queue.response?.digests.contains(.data) == true else {
          throw ConformanceSkip("the target grants no data digests")
        }
        let namespace = try RawNamespace(controller)
        let count = namespace.blockByteCount
        let write = SubmissionQueueEntry.write(
          namespaceIdentifier: namespace.identifier, startingLBA: 3, blockCount: 1)
        let before = [UInt8](repeating: 0x5A, count: count)
        try expectStatus(try queue.execute(write, writing: before, "writing"), .success, of: "Write")
        let after = [UInt8](repeating: 0xC3, count: count)
        let capsule = queue.capsule(write, writing: after, corruptData: true)
        do {
          try queue.send(capsule.bytes, "sending a wrong data digest")
          let completion = try queue.completion(
            of: capsule.identifier, writing: after, corruptData: true, "waiting for the end of the write")
          try expectStatus(
            completion, .transientTransportError, .dataTransferError, of: "Write with a wrong data digest")
        } catch let error as RawError where error.isEndOfConnection {
          context.notes.add("\(error)")
        }
        let again = try RawController(context.target).readyQueue()
        // What a write that failed leaves in its blocks is not specified.
        context.notes.add(
          try again.contents(namespace, at: 3) == before ? "the block is as before" : "the block was changed")
      }
    },
    ConformanceCase(
      "io.in-capsule-too-long", "in-capsule data beyond IOCCSZ is refused", needs: .destructive
    ) { context in
      try await offPool {
        let controller = try RawController(context.target)
        let queue = try controller.readyQueue()
        let namespace = try RawNamespace(controller)
        let capsuleByteCount = try controller.inCapsuleByteCount()
        let blocks = capsuleByteCount / namespace.blockByteCount + 1
        guard blocks <= 65536, blocks * namespace.blockByteCount < 4 << 20 else {
          throw ConformanceSkip("in-capsule data may be \(capsuleByteCount) bytes long")
        }
        let capsule = queue.capsule(
          .write(namespaceIdentifier: namespace.identifier, startingLBA: 0, blockCount: blocks),
          inCapsule: [UInt8](repeating: 0xEE, count: blocks * namespace.blockByteCount))
        do {
          try queue.send(capsule.bytes, "sending too much in-capsule data")
          let completion = try queue.completion(of: capsule.identifier, "waiting for the refusal")
          try expect(!completion.status.isSuccess, "the write of \(blocks) blocks in capsule succeeded")
          context.notes.add(completion.statusText)
        } catch let error as RawError where error.isEndOfConnection {
          context.notes.add("\(error)")
        }
      }
    },
    ConformanceCase(
      "io.short-transfer", "data that would fit in the capsule may also be fetched by R2T", needs: .destructive
    ) { context in
      try await offPool {
        let controller = try RawController(context.target)
        let queue = try controller.readyQueue()
        let namespace = try RawNamespace(controller)
        let data = [UInt8](repeating: 0x3C, count: namespace.blockByteCount)
        let capsule = queue.capsule(
          .write(namespaceIdentifier: namespace.identifier, startingLBA: 5, blockCount: 1),
          transferByteCount: data.count)
        try queue.send(capsule.bytes, "sending a write of one block")
        do {
          let completion = try queue.completion(
            of: capsule.identifier, writing: data, "waiting for the end of the write", within: .seconds(5))
          try expectStatus(completion, .success, of: "Write")
        } catch RawError.timedOut {
          context.notes.deviation("a write of one block that is not in the capsule is never answered")
        }
        controller.admin.socket.close()
      }
    },
    ConformanceCase(
      "io.data-outside-r2t", "data outside what was asked for ends the connection", needs: .destructive
    ) { context in
      try await withReadyToTransfer(context) { queue, ready, parameters in
        let header = H2CDataHeader(
          commandIdentifier: ready.commandIdentifier, transferTag: ready.transferTag,
          dataOffset: ready.offset &+ ready.length, dataLength: 512, isLast: true, parameters: parameters)
        return queue.pdu(
          .hostToControllerData, data: [UInt8](repeating: 0, count: 512), store: header.store(to:))
      }
    },
    ConformanceCase(
      "io.unknown-transfer-tag", "data for a transfer that does not exist ends the connection", needs: .destructive
    ) { context in
      try await withReadyToTransfer(context) { queue, ready, parameters in
        let header = H2CDataHeader(
          commandIdentifier: ready.commandIdentifier, transferTag: ready.transferTag ^ 0x7FF0,
          dataOffset: ready.offset, dataLength: 512, isLast: false, parameters: parameters)
        return queue.pdu(
          .hostToControllerData, data: [UInt8](repeating: 0, count: 512), store: header.store(to:))
      }
    },
  ]

  private static func withController(
    _ context: ConformanceContext, _ body: @escaping @Sendable (RawController) throws -> Void
  ) async throws {
    try await offPool {
      let controller = try RawController(context.target)
      try controller.enable()
      try body(controller)
    }
  }

  private static func withQueue(
    _ context: ConformanceContext, digests: PDUDigests = [],
    _ body: @escaping @Sendable (RawConnection, RawNamespace) throws -> Void
  ) async throws {
    try await offPool {
      let controller = try RawController(context.target)
      let queue = try controller.readyQueue(request: ICRequest(digests: digests))
      guard queue.response?.digests == digests else { throw ConformanceSkip("the target does not grant these digests") }
      try body(queue, try RawNamespace(controller))
    }
  }

  private static func expectInvalidNamespace(_ queue: RawConnection, _ namespace: RawNamespace) throws {
    let completion = try queue.execute(
      .read(namespaceIdentifier: 0xFFFF_FFF0, startingLBA: 0, blockCount: 1),
      readByteCount: namespace.blockByteCount, "reading namespace FFFFFFF0h")
    try expectStatus(completion, .invalidNamespaceOrFormat, of: "Read of namespace FFFFFFF0h")
  }

  private static func noteLimit(
    _ context: ConformanceContext, _ byteCount: Int?, _ limit: Int, _ namespace: RawNamespace
  ) {
    let source = byteCount.map { "MDTS is \($0) bytes" } ?? "MDTS names no limit"
    context.notes.add("\(source): \(limit) blocks of \(namespace.blockByteCount) bytes")
  }

  private static func expectEnd(
    _ context: ConformanceContext, _ what: String, _ body: () throws -> RawPDU
  ) throws {
    do {
      let pdu = try body()
      throw ConformanceFailure("after \(what) came a PDU of type \(pdu.common.type), not the end of the connection")
    } catch let error as RawError where error.isEndOfConnection {
      context.notes.add("\(error)")
    }
  }

  /// Has the target ask for a write's data, and sends it what `answer` makes.
  private static func withReadyToTransfer(
    _ context: ConformanceContext,
    _ answer: @escaping @Sendable (RawConnection, ReadyToTransferHeader, ConnectionParameters) -> [UInt8]
  ) async throws {
    try await offPool {
      let controller = try RawController(context.target)
      let queue = try controller.readyQueue()
      let namespace = try RawNamespace(controller)
      let ready = try queue.requestLargeWrite(controller, namespace)
      try expectEnd(context, "wrong data") {
        try queue.send(answer(queue, ready, queue.parameters), "sending wrong data")
        return try queue.receive("waiting for the end after wrong data")
      }
    }
  }
}
