internal import NVMeProtocol
internal import NVMeTCPProtocol

/// Keep alive and the ends of associations (NVMe Base 2.1, sections 3.1.2, 3.3.2.4, 3.6.2 and 3.9).
enum LifeCases {
  static let all = [
    ConformanceCase("keep-alive.expires", "a controller that hears nothing for its time-out ends the association") {
      context in
      try await offPool {
        let start = ContinuousClock.now
        let controller = try RawController(context.target, keepAliveTimeoutMilliseconds: 1000)
        try controller.enable()
        do {
          let pdu = try controller.admin.receive("waiting for keep-alive to expire", within: .seconds(20))
          throw ConformanceFailure("a PDU of type \(pdu.common.type) came, not the end of the association")
        } catch let error as RawError where error.isEndOfConnection {
          let duration = ContinuousClock.now - start
          context.notes.add("ended \(duration) after Connect: \(error)")
          try expect(
            duration >= .seconds(1), "the association ended \(duration) after Connect, before its time-out of 1 s")
        }
      }
    },
    ConformanceCase("keep-alive.sustains", "a controller that hears Keep Alive in time stays") { context in
      let controller = Transferred(
        try await offPool {
          let controller = try RawController(context.target, keepAliveTimeoutMilliseconds: 2000)
          try controller.enable()
          return Transferred(controller)
        }.value)
      for _ in 0..<12 {
        try await Task.sleep(for: .milliseconds(500))
        try await offPool {
          let completion = try controller.value.admin.execute(.keepAlive(), "sending Keep Alive")
          try expectStatus(completion, .success, of: "Keep Alive")
        }
      }
    },
    ConformanceCase("disconnect.orderly", "a controller shuts down in order and a new one can be made") { context in
      try await offPool {
        for _ in 0..<3 {
          let controller = try RawController(context.target)
          let queue = try controller.readyQueue()
          // A controller may end the association with an I/O queue's connection (sections 3.1.2 and 3.3.2.4): before that
          // there must be nothing left to ask it for.
          try controller.shutDown()
          queue.socket.close()
          controller.admin.socket.close()
        }
        try RawController(context.target).enable()
      }
    },
    ConformanceCase("disconnect.queue", "closing an I/O queue's connection leaves no harm") { context in
      try await offPool {
        let controller = try RawController(context.target)
        let queue = try controller.readyQueue()
        queue.socket.close()
        // A controller may end the whole association then (section 3.3.2.4), or go on without the queue.
        do {
          _ = try controller.identify(.controller)
          context.notes.add("the association goes on")
        } catch let error as RawError where error.isEndOfConnection {
          context.notes.add("the association ended: \(error)")
        }
        _ = try RawController(context.target).readyQueue()
      }
    },
    ConformanceCase("disconnect.abrupt", "resets at any moment leave the target in order") { context in
      try await offPool {
        for round in 0..<8 {
          let controller = try RawController(context.target)
          let queue = try controller.readyQueue()
          let namespace = try RawNamespace(controller)
          let capsule = queue.capsule(
            .read(namespaceIdentifier: namespace.identifier, startingLBA: 0, blockCount: 8),
            transferByteCount: 8 * namespace.blockByteCount
          ).bytes
          // Commands outstanding, then a command that stops in the middle.
          for _ in 0..<round { try queue.send(capsule, "reading") }
          try queue.send(Array(capsule.prefix(1 + round * 9)), "sending a part of a command")
          if round % 2 == 0 { queue.socket.reset() } else { controller.admin.socket.reset() }
        }
        let controller = try RawController(context.target)
        let queue = try controller.readyQueue()
        let namespace = try RawNamespace(controller)
        try queue.contents(namespace)
      }
    },
    ConformanceCase(
      "disconnect.during-write", "a host that vanishes in the middle of a write's data leaves no harm",
      needs: .destructive
    ) { context in
      try await offPool {
        for isReset in [true, false] {
          let controller = try RawController(context.target)
          let queue = try controller.readyQueue()
          let namespace = try RawNamespace(controller)
          let ready = try queue.requestLargeWrite(controller, namespace)
          let count = min(ready.length, queue.parameters.maximumH2CDataLength)
          let header = H2CDataHeader(
            commandIdentifier: ready.commandIdentifier, transferTag: ready.transferTag, dataOffset: ready.offset,
            dataLength: count, isLast: count == ready.length, parameters: queue.parameters)
          let bytes = queue.pdu(
            .hostToControllerData, data: [UInt8](repeating: 0x99, count: Int(count)), store: header.store(to:))
          try queue.send(Array(bytes.prefix(bytes.count / 2)), "sending half of the data")
          if isReset { queue.socket.reset() } else { queue.socket.close() }
          controller.admin.socket.close()
        }
        _ = try RawController(context.target).readyQueue()
      }
    },
  ]
}

/// Hands a value that belongs to one thread at a time to the next one.
struct Transferred<Value>: @unchecked Sendable {
  let value: Value

  init(_ value: Value) {
    self.value = value
  }
}
