internal import BlockDevice
internal import NVMeProtocol

/// Paths, namespaces and whole targets that come and go under a verifying load: nothing acknowledged is lost, and I/O flows
/// again.
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
    // On a disk, whose requests take time: those to memory have nearly all been answered when the target comes to kill.
    underLoad(
      "multipath.killed", "connections that are reset under load lose nothing", { $0.usesLastingNamespace = true }
    ) { load in
      for round in 1...3 as ClosedRange<UInt64> {
        try await Task.sleep(for: .milliseconds(300))
        try await load.control.killConnections()
        try await load.wait(for: "the reconnect") {
          load.session.controllers[0].snapshot.recovery.reconnectCount >= round
        }
      }
    },
    underLoad("multipath.port-removed", "a port that goes and comes back under load loses nothing") { load in
      for isSecond in [false, true] {
        let place = isSecond ? 1 : 0
        try await load.during({ try await load.control.setPort(isSecond: isSecond, isOpen: !$0) }) {
          try await load.wait(for: "the loss of the path") { !load.session.paths[place].isConnected }
          try await Task.sleep(for: .milliseconds(500))
        }
        // An attempt just before the port closed may have been refused with Do Not Retry: a reset tries once more.
        let controller = load.session.controllers[place]
        if controller.snapshot.state == .failed { try await controller.reset() }
        try await load.wait(for: "the path's return") { load.session.paths[place].isAccessible }
      }
    },
    underLoad(
      "multipath.ana", "ANA states that change under load move the load, and lose nothing",
      { $0.policy = .activePassive }
    ) { load in
      func set(_ state: ANAState, isSecond: Bool) async throws {
        try await load.control.setANAState(state, namespace: load.context.firstNamespace, isSecondPort: isSecond)
      }
      try await load.during({ _ in
        try await set(.optimized, isSecond: false)
        try await set(.optimized, isSecond: true)
      }) {
        for (state, isSecond) in [
          (ANAState.nonOptimized, false), (.inaccessible, false), (.optimized, false), (.persistentLoss, true),
          (.nonOptimized, true), (.change, false), (.optimized, false),
        ] {
          try await set(state, isSecond: isSecond)
          try await load.wait(for: "the news of \(state)") {
            load.session.paths[isSecond ? 1 : 0].isAccessible == state.isAccessible
          }
          try await load.wait(for: "a path") { load.session.paths.contains { $0.isCurrent } }
          try await Task.sleep(for: .milliseconds(100))
        }
        // Both away: what comes waits.
        try await set(.inaccessible, isSecond: false)
        try await set(.inaccessible, isSecond: true)
        try await load.wait(for: "held requests") { load.session.device.snapshot.statistics.heldCount > 0 }
        try await set(.optimized, isSecond: true)
      }
    },
    ConformanceCase(
      "multipath.ana-news",
      "ANA states that change without any I/O are told of, with a new change count, and through their own port alone",
      needs: [.control, .secondPort], deadline: .seconds(120)
    ) { context in
      let control = try context.requireControl()
      let namespace = context.firstNamespace
      func set(_ state: ANAState, isSecond: Bool) async throws {
        try await control.setANAState(state, namespace: namespace, isSecondPort: isSecond)
      }
      try await MultipathSession.with(context, MultipathSession.Options()) { session in
        let result = await Result.catching {
          for (state, isSecond) in [
            (ANAState.nonOptimized, false), (.inaccessible, true), (.optimized, false), (.nonOptimized, true),
          ] {
            guard let before = session.controllers[isSecond ? 1 : 0].snapshot.anaLog?.changeCount else {
              throw ConformanceSkip("the target has no Asymmetric Namespace Access log")
            }
            let other = session.anaState(isSecond: !isSecond, namespace)
            try await set(state, isSecond: isSecond)
            try await session.wait(for: "the news of \(state)", within: .seconds(10)) {
              session.anaState(isSecond: isSecond, namespace) == state
            }
            let after = try await session.readANALog(isSecond: isSecond)
            try expect(
              after.changeCount > before,
              "the change count is \(after.changeCount), and was \(before) before there was a change")
            _ = try await session.readANALog(isSecond: !isSecond)
            try expectEqual(
              session.anaState(isSecond: !isSecond, namespace), other, "the state through the other port")
          }
        }
        for isSecond in [false, true] { try await set(.optimized, isSecond: isSecond) }
        try result.get()
      }
    },
    ConformanceCase(
      "multipath.identity", "namespaces have the same identifiers, sizes and formats through both ports",
      needs: .secondPort
    ) { context in
      try await offPool {
        let controllers = [
          try RawController(context.target), try RawController(context.target, port: context.target.secondPort),
        ]
        for controller in controllers { try controller.enable() }
        let active = try RawNamespace.activeIdentifiers(controllers[0])
        try expectEqual(
          try RawNamespace.activeIdentifiers(controllers[1]), active, "the list of namespaces through the second port")
        for identifier in active {
          func both(_ structure: IdentifyStructure) throws -> ([UInt8], [UInt8]) {
            let found = try controllers.map { try $0.identify(structure, namespaceIdentifier: identifier) }
            return (found[0], found[1])
          }
          let descriptors = try both(.namespaceDescriptors)
          try expect(
            descriptors.0 == descriptors.1,
            "namespace \(identifier) has other identification descriptors through the second port")
          let namespaces = try both(.namespace)
          // NSZE, FLBAS, NGUID and EUI64, and the LBA formats (NVM Command Set 1.1, section 4.1.5.1).
          let fields = [("size", 0..<8), ("format", 26..<27), ("identifier", 104..<128), ("format", 128..<192)]
          for (field, place) in fields {
            try expect(
              namespaces.0[place] == namespaces.1[place],
              "namespace \(identifier) has another \(field) through the second port")
          }
        }
      }
    },
    underLoad("multipath.silent", "a target that falls silent under load and comes back loses nothing") { load in
      try await silent(load) {
        try await load.wait(for: "the missed keep alives") { load.session.paths.allSatisfy { !$0.isConnected } }
      }
      try await load.session.waitForAllPaths()
    },
    underLoad("multipath.dropped", "answers that are dropped without a reset cost a path, and lose nothing") { load in
      try await impaired(load, .loss) {
        try await load.wait(for: "the loss of the path") { !load.session.paths[0].isConnected }
        try await load.wait(for: "failovers") { load.session.device.snapshot.statistics.failoverCount > 0 }
        try expect(load.session.paths[1].isAccessible, "the other path is lost, too")
      }
      try await load.session.waitForAllPaths()
    },
    underLoad("multipath.keep-alive", "keep alives answered too late cost a path, and late answers harm nothing") {
      load in
      try await impaired(load, .delay(milliseconds: 1500)) {
        try await load.wait(for: "the loss of the path") {
          load.session.controllers[0].snapshot.recovery.lossCount > 0
        }
        // Answers to what was sent before the loss are still on their way.
        try await Task.sleep(for: .milliseconds(1500))
        try expect(load.session.paths[1].isAccessible, "the other path is lost, too")
      }
      try await load.session.waitForAllPaths()
    },
    underLoad(
      "multipath.namespace", "a namespace that is disabled and enabled under load loses nothing", failures: .expected
    ) { load in
      let namespace = load.context.firstNamespace
      try await load.during({ try await load.control.setNamespace(namespace, isEnabled: !$0) }) {
        try await load.wait(for: "the end of the namespace") {
          load.session.paths.allSatisfy { $0.availability == .unavailable(.namespaceMissing) }
        }
        try await Task.sleep(for: .milliseconds(300))
      }
      try await load.session.waitForAllPaths()
    },
    underLoad(
      "multipath.fewer-queues", "controllers that come back with fewer queues are used with what they have",
      { $0.queueCount = 4 }
    ) { load in
      func waitForQueues(_ count: Int) async throws {
        try await load.wait(for: "controllers with \(count) queues") {
          load.session.controllers.allSatisfy { $0.snapshot.state == .enabled && $0.snapshot.queueCount == count }
        }
        try await load.session.waitForAllPaths()
        try await Task.sleep(for: .milliseconds(300))
      }
      try await waitForQueues(4)
      try await load.during({ try await load.control.setQueueLimit($0 ? 1 : nil) }) {
        try await waitForQueues(1)
      }
      try await waitForQueues(4)
    },
    underLoad(
      "multipath.restart", "a target that is restarted under load loses nothing", { $0.usesLastingNamespace = true }
    ) { load in
      try await load.control.restart()
      try await load.wait(for: "the loss of both paths") {
        load.session.controllers.allSatisfy { $0.snapshot.recovery.lossCount > 0 }
      }
      // An attempt while the target was coming up may have been refused with Do Not Retry: a reset tries once more.
      for controller in load.session.controllers where controller.snapshot.state == .failed {
        try await controller.reset()
      }
      try await load.session.waitForAllPaths()
    },
    underLoad(
      "multipath.fast-fail", "fast I/O fail ends requests in time, and I/O works again afterwards",
      { $0.recovery = try timers(controllerLoss: -1, fastIOFail: 1000) }, failures: .expected
    ) { load in
      try await silent(load) {
        try await load.wait(for: "fast I/O fail") {
          load.session.paths.allSatisfy { $0.availability == .unavailable(.fastIOFail) }
        }
        try await Task.sleep(for: .milliseconds(300))
      }
      try await load.session.waitForAllPaths()
    },
    underLoad(
      "multipath.controller-loss", "controllers that do not come back in time are given up",
      { $0.recovery = try timers(controllerLoss: 1500) }, failures: .expected
    ) { load in
      try await silent(load) {
        try await load.wait(for: "the end of the device") { load.session.device.isGone }
        for controller in load.session.controllers {
          try expectEqual(controller.snapshot.state, .deleted, "the controller's state")
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
        try await DisturbedLoad.run(context, try patient { $0.waitsForAllPaths = false }) { load in
          try await control.setPort(isSecond: false, isOpen: true)
          try await load.wait(for: "the first path") { load.session.paths[0].isAccessible }
        }
      }
      // It may be open already.
      if case .failure = result { try? await control.setPort(isSecond: false, isOpen: true) }
      try result.get()
    },
  ]

  private static let needs: ConformanceNeeds = [.control, .destructive, .secondPort]

  private static func underLoad(
    _ identifier: String, _ title: String,
    _ change: @escaping @Sendable (inout MultipathSession.Options) throws -> Void = { _ in },
    failures: DisturbedLoad.Failures = .none, _ disturb: @escaping @Sendable (DisturbedLoad) async throws -> Void
  ) -> ConformanceCase {
    ConformanceCase(identifier, title, needs: needs, deadline: .seconds(180)) { context in
      try await DisturbedLoad.run(context, try patient(change), failures: failures, disturb)
    }
  }

  /// Both paths in turn, and as much patience as it takes.
  private static func patient(
    _ change: (inout MultipathSession.Options) throws -> Void
  ) throws -> MultipathSession.Options {
    var options = MultipathSession.Options()
    options.policy = try MultipathPolicy(.activeActive(.roundRobin(minimumIO: 1)))
    options.recovery = try timers(controllerLoss: -1)
    try change(&options)
    return options
  }

  private static func timers(controllerLoss: Int64, fastIOFail: Int64 = 0) throws -> RecoveryTimers {
    try RecoveryTimers(
      reconnectDelayMilliseconds: 200, controllerLossTimeoutMilliseconds: controllerLoss,
      fastIOFailTimeoutMilliseconds: fastIOFail)
  }

  private static func silent(_ load: DisturbedLoad, _ body: () async throws -> Void) async throws {
    try await load.during({ try await load.control.setSilent($0) }, body)
  }

  private static func impaired(
    _ load: DisturbedLoad, _ impairment: NetworkImpairment, _ body: () async throws -> Void
  ) async throws {
    try await load.during({ try await load.control.setImpairment($0 ? impairment : nil) }, body)
  }
}
