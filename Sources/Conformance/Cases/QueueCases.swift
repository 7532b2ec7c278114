internal import BlockDevice

/// Many commands at once, and several queues.
enum QueueCases {
  static let all = [
    ConformanceCase(
      "queues.depth", "a queue takes as many commands as it says, at every depth", deadline: .seconds(240)
    ) { context in
      let largest = try await offPool {
        Int(try RawController(context.target).property(.controllerCapabilities) & 0xFFFF)
      }
      for depth in Set([1, 2, 31, 128, min(largest, 4095)]).sorted() where depth <= largest {
        var options = HostOptions()
        options.queueDepth = depth
        try await load(context, options, channels: 1, depth: depth, requests: max(64, depth * 2), onQueuesOf: depth)
      }
    },
    ConformanceCase(
      "queues.back-pressure", "more requests than the queue takes all end well", deadline: .seconds(120)
    ) { context in
      var options = HostOptions()
      options.queueDepth = 4
      try await load(context, options, channels: 3, depth: 64, requests: 400)
    },
    ConformanceCase(
      "queues.several", "several queues on several threads work at once", deadline: .seconds(180)
    ) { context in
      var options = HostOptions()
      options.queueCount = 6
      options.reactorCount = 2
      try await load(context, options, channels: 6, depth: 16, requests: 300)
    },
    ConformanceCase(
      "queues.several-write", "several queues write and read their own parts of a namespace", needs: .destructive,
      deadline: .seconds(240)
    ) { context in
      var options = HostOptions()
      options.queueCount = 4
      options.reactorCount = 2
      options.dataDigest = true
      options.headerDigest = true
      try await load(context, options, channels: 4, depth: 16, requests: 300, writes: true)
    },
  ]

  /// Loads a namespace through several channels at once.
  private static func load(
    _ context: ConformanceContext, _ options: HostOptions, channels: Int, depth: Int, requests: Int,
    writes: Bool = false, onQueuesOf wantedDepth: Int? = nil
  ) async throws {
    try await HostSession.with(context, options) { session in
      let snapshot = session.controller.snapshot
      let wished = context.target.namespaceIdentifiers.first ?? snapshot.namespaces.keys.sorted().first
      guard let identifier = wished else { throw ConformanceSkip("the subsystem has no active namespace") }
      context.notes.add(
        "\(snapshot.queueCount) queues of \(snapshot.queueDepth), wished for \(options.queueCount) of "
          + "\(options.queueDepth)")
      // Else commands would wait in the host, and the target would never see so many.
      if let wantedDepth { try expectEqual(snapshot.queueDepth, wantedDepth, "the depth of the queue") }
      let device = try session.device(identifier)
      let blocks = 8
      let share = device.geometry.blockCount / UInt64(channels)
      let count = min(requests, Int(share) / blocks)
      guard count > 0 else { throw ConformanceSkip("the namespace is too small") }
      let plans = (0..<channels).map { index in
        ChannelLoad.Plan(
          queueDepth: depth, start: share * UInt64(index), requestCount: count, blocksPerRequest: blocks,
          seed: UInt64(index) << 32, writes: writes)
      }
      for highWater in try await ChannelLoad.run(plans, on: device, reactors: session.reactors.map(\.handle)) {
        try expect(highWater >= min(depth, count), "only \(highWater) of \(depth) requests were outstanding at once")
      }
    }
  }
}
