internal import BlockDevice
internal import Synchronization

/// A target that changes, and connections that are lost, while they are used.
enum ChangeCases {
  static let all = [
    ConformanceCase(
      "namespaces.added-and-removed", "a namespace that is added can be used, one that is removed is gone",
      needs: .control, deadline: .seconds(120)
    ) { context in
      let control = try context.requireControl()
      try await HostSession.with(context) { session in
        let news = Mutex<[NamespaceChange]>([])
        let observer = session.controller.addObserver { notice in
          if case .namespacesChanged(let changes) = notice { news.withLock { $0 += changes } }
        }
        defer { session.controller.removeObserver(observer) }
        try await withNamespace(control, 400, byteCount: 4 << 20) {
          try await session.wait(for: "the new namespace") { session.controller.snapshot.namespaces[400] != nil }
          let check = DeviceCheck(try session.device(400))
          try expectEqual(check.blockCount * UInt64(check.blockByteCount), 4 << 20, "the new namespace's size")
          try await check.writeAndVerify(at: 3, count: 20, seed: 400)
        }
        try await session.wait(for: "the end of the namespace") { session.controller.snapshot.namespaces[400] == nil }
        let kinds = news.withLock { $0 }
        try expect(
          kinds.contains { if case .added(let namespace) = $0 { namespace.identifier == 400 } else { false } }
            && kinds.contains { if case .removed(let namespace) = $0 { namespace.identifier == 400 } else { false } },
          "the news were \(kinds)")
      }
    },
    ConformanceCase(
      "namespaces.removed-in-use", "I/O to a namespace that goes away ends with errors, never hangs", needs: .control,
      deadline: .seconds(120)
    ) { context in
      let control = try context.requireControl()
      try await HostSession.with(context) { session in
        let devices = Mutex<NVMeBlockDevice?>(nil)
        let readers = 8
        let ended = Counter()
        let failures = try await withThrowingTaskGroup(of: Int.self) { group in
          try await withNamespace(control, 401, byteCount: 4 << 20) {
            try await session.wait(for: "the new namespace") { session.controller.snapshot.namespaces[401] != nil }
            let device = try session.device(401)
            devices.withLock { $0 = device }
            for index in 0..<readers {
              group.addTask {
                var count = 0
                while count < 5, !Task.isCancelled {
                  do {
                    _ = try await device.read(at: UInt64(index), blockCount: 1)
                  } catch {
                    count += 1
                  }
                }
                ended.increment()
                return count
              }
            }
            try await Task.sleep(for: .milliseconds(300))
          }
          do {
            try await session.wait(for: "an end with errors of all that is read from the namespace that is gone") {
              ended.value == readers
            }
          } catch {
            // Reads that are never answered end with the association.
            group.cancelAll()
            await session.controller.disconnect()
            throw error
          }
          return try await group.reduce(0, +)
        }
        context.notes.add("\(failures) reads failed after the namespace was gone")
        try await session.wait(for: "the end of the device") {
          // First: a device whose controller is lost may come back, and does not end.
          try session.expectReady()
          return devices.withLock { $0?.isGone ?? false }
        }
      }
    },
    ConformanceCase(
      "namespaces.resized-in-use", "a namespace that is resized is used at its new size", needs: .control,
      deadline: .seconds(120)
    ) { context in
      let control = try context.requireControl()
      try await HostSession.with(context) { session in
        try await withNamespace(control, 402, byteCount: 4 << 20) {
          try await session.wait(for: "the new namespace") { session.controller.snapshot.namespaces[402] != nil }
          let device = try session.device(402)
          let blockByteCount = UInt64(device.geometry.blockByteCount)
          let small = device.geometry.blockCount
          try await DeviceCheck(device).writeAndVerify(at: small - 4, count: 4, seed: 402)
          // Blocks that all the sizes have are read without a failure all the while.
          let readCount = try await withThrowingTaskGroup(of: Int.self) { group in
            for index in 0..<4 {
              group.addTask {
                var count = 0
                while !Task.isCancelled {
                  _ = try await device.read(at: UInt64(index), blockCount: 2)
                  count += 1
                }
                return count
              }
            }
            let result = await Result.catching {
              try await control.resizeNamespace(402, byteCount: 8 << 20)
              try await session.wait(for: "the larger size") { device.geometry.blockCount * blockByteCount == 8 << 20 }
              try await DeviceCheck(device).writeAndVerify(at: small - 2, count: 8, seed: 403)
              try await control.resizeNamespace(402, byteCount: 2 << 20)
              try await session.wait(for: "the smaller size") { device.geometry.blockCount * blockByteCount == 2 << 20 }
            }
            group.cancelAll()
            try result.get()
            return try await group.reduce(0, +)
          }
          context.notes.add("\(readCount) reads meanwhile")
          try expect(readCount > 0, "nothing was read while the namespace was resized")
          do {
            _ = try await device.read(at: small - 1, blockCount: 1)
            throw ConformanceFailure("a read beyond the new end succeeded")
          } catch let error as BlockError {
            try expectEqual(error.cause, .refused(.outOfRange), "the cause of the refusal")
          }
          try await DeviceCheck(device).writeAndVerify(at: 1, count: 4, seed: 404)
        }
      }
    },
    ConformanceCase(
      "namespaces.disabled", "a namespace that is disabled goes and comes back", needs: .control,
      deadline: .seconds(120)
    ) { context in
      let control = try context.requireControl()
      try await HostSession.with(context) { session in
        try await withNamespace(control, 403, byteCount: 1 << 20) {
          try await session.wait(for: "the new namespace") { session.controller.snapshot.namespaces[403] != nil }
          try await DeviceCheck(try session.device(403)).writeAndVerify(at: 1, count: 4, seed: 405)
          try await control.setNamespace(403, isEnabled: false)
          try await session.wait(for: "the end of the namespace") { session.controller.snapshot.namespaces[403] == nil }
          try await control.setNamespace(403, isEnabled: true)
          try await session.wait(for: "the namespace's return") { session.controller.snapshot.namespaces[403] != nil }
          try await DeviceCheck(try session.device(403)).writeAndVerify(at: 1, count: 4, seed: 406)
        }
      }
    },
    ConformanceCase(
      "recovery.reset", "a controller that is reset works again", deadline: .seconds(120)
    ) { context in
      try await HostSession.with(context) { session in
        for _ in 0..<3 {
          try await session.controller.reset()
          try await readFirstBlock(context, session)
        }
      }
    },
    ConformanceCase(
      "recovery.killed", "connections that are reset under load end every request, and can be made again",
      needs: .control, deadline: .seconds(120)
    ) { context in
      let control = try context.requireControl()
      var options = HostOptions()
      options.queueCount = 2
      try await HostSession.with(context, options) { session in
        try await underLoad(context, session) { try await control.killConnections() }
        session.controller.connect()
        try await session.controller.ready()
        try await readFirstBlock(context, session)
      }
    },
    ConformanceCase(
      "recovery.silent", "a target that falls silent is noticed by a missed keep alive", needs: .control,
      deadline: .seconds(120)
    ) { context in
      let control = try context.requireControl()
      var options = HostOptions()
      options.keepAliveTimeoutMilliseconds = 2000
      try await HostSession.with(context, options) { session in
        let start = ContinuousClock.now
        let result = await Result.catching {
          try await underLoad(context, session) { try await control.setSilent(true) }
        }
        context.notes.add("noticed after \(ContinuousClock.now - start)")
        try await control.setSilent(false)
        try result.get()
        session.controller.connect()
        try await session.controller.ready()
        try await readFirstBlock(context, session)
      }
    },
    ConformanceCase("recovery.idle", "an idle association stays beyond its keep-alive time-out", deadline: .seconds(60))
    {
      context in
      var options = HostOptions()
      options.keepAliveTimeoutMilliseconds = 2000
      try await HostSession.with(context, options) { session in
        try await Task.sleep(for: .seconds(5))
        try session.expectReady()
        try await readFirstBlock(context, session)
      }
    },
  ]

  private static func withNamespace(
    _ control: any TargetControl, _ identifier: UInt32, byteCount: Int, _ body: () async throws -> Void
  ) async throws {
    try await control.addNamespace(identifier, byteCount: byteCount)
    let result = await Result.catching { try await body() }
    try await control.removeNamespace(identifier)
    try result.get()
  }

  private static func readFirstBlock(_ context: ConformanceContext, _ session: HostSession) async throws {
    let device = try session.device(try firstNamespace(context, session))
    _ = try await device.read(at: 0, blockCount: 1)
  }

  private static func firstNamespace(_ context: ConformanceContext, _ session: HostSession) throws -> UInt32 {
    let active = session.controller.snapshot.namespaces.keys.sorted()
    guard let identifier = context.target.namespaceIdentifiers.first ?? active.first else {
      throw ConformanceSkip("the subsystem has no active namespace")
    }
    return identifier
  }

  /// Reads without end while the target is disturbed, until every reader has met an error; the controller must have
  /// noticed its loss.
  private static func underLoad(
    _ context: ConformanceContext, _ session: HostSession, _ disturb: () async throws -> Void
  ) async throws {
    let device = try session.device(try firstNamespace(context, session))
    let errors = try await withThrowingTaskGroup(of: BlockError?.self) { group in
      for index in 0..<16 {
        group.addTask {
          while !Task.isCancelled {
            do {
              _ = try await device.read(at: UInt64(index), blockCount: 2)
            } catch let error as BlockError {
              return error
            }
          }
          return nil
        }
      }
      try await Task.sleep(for: .milliseconds(200))
      let result = await Result.catching { try await disturb() }
      if case .failure = result { group.cancelAll() }
      var errors: [BlockError] = []
      for try await error in group { if let error { errors.append(error) } }
      try result.get()
      return errors
    }
    for error in errors {
      switch error.cause {
      case .failed(.connectionLost, _), .failed(.notSent, _), .refused(.closed): break
      default: throw ConformanceFailure("a read did not end with the loss of its connection: \(error)")
      }
    }
    context.notes.add("\(errors.count) readers met the loss")
    try await session.wait(for: "the controller's end") {
      if case .closed(let error) = session.controller.condition { return error != nil }
      return false
    }
    context.notes.add("\(session.controller.condition)")
  }
}
