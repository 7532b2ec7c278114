internal import BlockDevice

/// Paths that come and go under a verifying load: nothing acknowledged is lost, and I/O flows again.
enum RecoveryCases {
  static let all = [
    ConformanceCase(
      "recovery.attach-detach",
      "controllers attached and detached at any moment, in every wrong order, leave nothing behind on the reactor",
      deadline: .seconds(120)
    ) { context in
      let reactor = try ReactorThread(name: "conformance")
      let result = await Result.catching {
        for cycle in 0..<100 {
          var configuration = ControllerConfiguration(
            subsystemNQN: context.target.subsystemNQN, hostNQN: context.target.identity.hostNQN,
            hostIdentifier: context.target.identity.hostIdentifier)
          configuration.queueCount = 2
          let controller = Controller(
            transport: TCPTransport(host: context.target.host, port: context.target.port), configuration: configuration,
            home: reactor.handle)
          controller.connect()
          switch cycle % 4 {
          // Detached while it is being attached, sooner or later.
          case 0: try await Task.sleep(for: .microseconds(cycle * 100))
          // Attached twice, reset while it is being reset.
          case 1:
            controller.connect()
            try await controller.ready()
            async let first: Void? = try? controller.reset()
            async let second: Void? = try? controller.reset()
            _ = await (first, second)
          // With a read under way.
          case 2:
            try await controller.ready()
            let device = controller.blockDevices().first
            async let read = try? device?.read(at: 0, blockCount: 8)
            await controller.delete()
            _ = await read
          // Detached twice, at once.
          default:
            async let deletion: Void = controller.delete()
            await controller.delete()
            await deletion
          }
          await controller.delete()
        }
        // Devices' own sources leave in the turns after they have been let go of.
        var sources = 1
        for _ in 0..<100 where sources > 0 {
          sources = try await reactor.handle.perform { $0.sourceCount }
          if sources > 0 { try await Task.sleep(for: .milliseconds(20)) }
        }
        try expectEqual(sources, 0, "the number of sources left on the reactor")
      }
      try? await offPool { reactor.stop() }
      try result.get()
    },
    ConformanceCase(
      "multipath.killed", "connections that are reset under load lose nothing", needs: needs, deadline: .seconds(180)
    ) { context in
      let control = try context.requireControl()
      try await MultipathSession.with(context, recovery: try patient(), configuration: try spread()) { session in
        let outcome = try await VerifyingLoad.run(on: session.device) {
          for round in 1...3 as ClosedRange<UInt64> {
            try await Task.sleep(for: .milliseconds(300))
            try await control.killConnections()
            try await session.wait(for: "the reconnect") {
              session.controllers[0].snapshot.recovery.reconnectCount >= round
            }
          }
        }
        try report(outcome, context)
      }
    },
    ConformanceCase(
      "multipath.port-removed", "a port that goes and comes back under load loses nothing", needs: needs,
      deadline: .seconds(180)
    ) { context in
      let control = try context.requireControl()
      try await MultipathSession.with(context, recovery: try patient(), configuration: try spread()) { session in
        let outcome = try await VerifyingLoad.run(on: session.device) {
          for isSecond in [false, true] {
            try await restoring({ try await control.setPort(isSecond: isSecond, isOpen: true) }) {
              try await control.setPort(isSecond: isSecond, isOpen: false)
              try await session.wait(for: "the loss of the path") {
                !session.device.snapshot.paths[isSecond ? 1 : 0].isConnected
              }
              try await Task.sleep(for: .milliseconds(500))
            }
            // An attempt just before the port closed may have been refused with Do Not Retry: a reset tries once more.
            let controller = session.controllers[isSecond ? 1 : 0]
            if controller.snapshot.state == .failed { try await controller.reset() }
            try await session.wait(for: "the path's return") {
              session.device.snapshot.paths[isSecond ? 1 : 0].isAccessible
            }
          }
        }
        try report(outcome, context)
      }
    },
    ConformanceCase(
      "multipath.ana", "ANA states that change under load move the load, and lose nothing", needs: needs,
      deadline: .seconds(180)
    ) { context in
      let control = try context.requireControl()
      let namespace = context.target.namespaceIdentifiers.first ?? 1
      func set(_ state: ANAState, isSecond: Bool) async throws {
        try await control.setANAState(state, namespace: namespace, isSecondPort: isSecond)
      }
      try await MultipathSession.with(context, recovery: try patient(), configuration: MultipathConfiguration()) {
        session in
        try await restoring({
          try await set(.optimized, isSecond: false)
          try await set(.optimized, isSecond: true)
        }) {
          let outcome = try await VerifyingLoad.run(on: session.device) {
            for (state, isSecond) in [
              (ANAState.nonOptimized, false), (.inaccessible, false), (.optimized, false), (.persistentLoss, true),
              (.nonOptimized, true), (.change, false), (.optimized, false),
            ] {
              try await set(state, isSecond: isSecond)
              try await session.wait(for: "the news of \(state)") {
                session.device.snapshot.paths[isSecond ? 1 : 0].isAccessible == state.isAccessible
              }
              try await session.wait(for: "a path") { session.device.snapshot.paths.contains { $0.isCurrent } }
              try await Task.sleep(for: .milliseconds(100))
            }
            // Both away: what comes waits.
            try await set(.inaccessible, isSecond: false)
            try await set(.inaccessible, isSecond: true)
            try await session.wait(for: "held requests") { session.device.snapshot.statistics.heldCount > 0 }
            try await set(.optimized, isSecond: true)
          }
          try report(outcome, context)
        }
      }
    },
    ConformanceCase(
      "multipath.silent", "a target that falls silent under load and comes back loses nothing", needs: needs,
      deadline: .seconds(240)
    ) { context in
      let control = try context.requireControl()
      try await MultipathSession.with(context, recovery: try patient(), configuration: try spread()) { session in
        let outcome = try await VerifyingLoad.run(on: session.device) {
          try await restoring({ try await control.setSilent(false) }) {
            try await control.setSilent(true)
            try await session.wait(for: "the missed keep alives") {
              session.device.snapshot.paths.allSatisfy { !$0.isConnected }
            }
          }
          try await session.wait(for: "the paths' return") {
            session.device.snapshot.paths.allSatisfy { $0.isAccessible }
          }
        }
        try report(outcome, context)
      }
    },
    ConformanceCase(
      "multipath.fast-fail", "fast I/O fail ends requests in time, and I/O works again afterwards", needs: needs,
      deadline: .seconds(240)
    ) { context in
      let control = try context.requireControl()
      let timers = try RecoveryTimers(
        reconnectDelayMilliseconds: 200, controllerLossTimeoutMilliseconds: -1, fastIOFailTimeoutMilliseconds: 1000)
      try await MultipathSession.with(context, recovery: timers, configuration: try spread()) { session in
        let outcome = try await VerifyingLoad.run(on: session.device, toleratesFailures: true) {
          try await restoring({ try await control.setSilent(false) }) {
            try await control.setSilent(true)
            try await session.wait(for: "fast I/O fail") {
              session.device.snapshot.paths.allSatisfy { $0.availability == .unavailable(.fastIOFail) }
            }
            try await Task.sleep(for: .milliseconds(300))
          }
          try await session.wait(for: "the paths' return") {
            session.device.snapshot.paths.allSatisfy { $0.isAccessible }
          }
        }
        try expect(outcome.failureCount > 0, "no request has failed")
        let after = try await VerifyingLoad.run(on: session.device) { try await Task.sleep(for: .milliseconds(200)) }
        try report(after, context)
      }
    },
    ConformanceCase(
      "multipath.controller-loss", "controllers that do not come back in time are given up", needs: needs,
      deadline: .seconds(240)
    ) { context in
      let control = try context.requireControl()
      let timers = try RecoveryTimers(reconnectDelayMilliseconds: 200, controllerLossTimeoutMilliseconds: 1500)
      try await MultipathSession.with(context, recovery: timers, configuration: try spread()) { session in
        try await restoring({ try await control.setSilent(false) }) {
          try await control.setSilent(true)
          try await session.wait(for: "the end of the device") { session.device.isGone }
          for controller in session.controllers {
            try expectEqual(controller.snapshot.state, .deleted, "the controller's state")
          }
        }
      }
    },
    ConformanceCase(
      "multipath.dead-port", "a port that is dead at connect time does no harm, and is used when it comes",
      needs: needs, deadline: .seconds(180)
    ) { context in
      let control = try context.requireControl()
      try await control.setPort(isSecond: false, isOpen: false)
      let result = await Result.catching {
        try await MultipathSession.with(
          context, recovery: try patient(), configuration: try spread(), waitsForAllPaths: false
        ) { session in
          let outcome = try await VerifyingLoad.run(on: session.device) {
            try await control.setPort(isSecond: false, isOpen: true)
            try await session.wait(for: "the first path") { session.device.snapshot.paths[0].isAccessible }
          }
          try report(outcome, context)
        }
      }
      // It may be open already.
      if case .failure = result { try? await control.setPort(isSecond: false, isOpen: true) }
      try result.get()
    },
  ]

  private static let needs: ConformanceNeeds = [.control, .destructive, .secondPort]

  private static func patient() throws -> RecoveryTimers {
    try RecoveryTimers(reconnectDelayMilliseconds: 200, controllerLossTimeoutMilliseconds: -1)
  }

  private static func spread() throws -> MultipathConfiguration {
    var configuration = MultipathConfiguration()
    configuration.policy = try MultipathPolicy(.activeActive(.roundRobin(minimumIO: 1)))
    return configuration
  }

  private static func report(_ outcome: VerifyingLoad.Outcome, _ context: ConformanceContext) throws {
    context.notes.add("\(outcome.requestCount) requests, the longest \(outcome.longest)")
    try expectEqual(outcome.failureCount, 0, "failed requests")
    try expect(outcome.requestCount > 0, "no request has been carried out")
  }

  private static func restoring(
    _ restore: () async throws -> Void, _ body: () async throws -> Void
  ) async throws {
    let result = await Result.catching { try await body() }
    try await restore()
    try result.get()
  }
}
