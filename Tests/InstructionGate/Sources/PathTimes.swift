import BlockDevice

/// What choosing a path costs in time, beside what two connections cost without anybody who chooses. Runs of both kinds take
/// turns, so that what disturbs the machine disturbs both.
enum PathTimes {
  private static let runCount = 101
  private static let roundsPerRun = 1000
  private static let requestsPerRun = 100_000

  static func show() throws {
    for shape in [LoadShape(operation: .read, byteCount: 4096), LoadShape(operation: .write, byteCount: 4096)] {
      let byHand = try ChannelLoad(shape, .twoByHand)
      let multipath = try ChannelLoad(shape, .twoPaths)
      var pairs: [(Double, Double)] = []
      for run in 0...runCount {
        // In turns, and each goes first as often as the other.
        var pair = (0.0, 0.0)
        if run % 2 == 0 { pair.0 = try nanosecondsPerRequest(byHand) }
        pair.1 = try nanosecondsPerRequest(multipath)
        if run % 2 == 1 { pair.0 = try nanosecondsPerRequest(byHand) }
        // The first warms up.
        if run > 0 { pairs.append(pair) }
      }
      tell("4 KiB \(shape.operation), two channels by hand", pairs.map(\.0))
      tell("4 KiB \(shape.operation), two paths of one device", pairs.map(\.1))
      tell("  difference", pairs.map { $0.1 - $0.0 })
    }
    for spread: MultipathPolicy.Spread in [
      .activePassive, .activeActive(.roundRobin(minimumIO: 1)), .activeActive(.queueDepth), .activeActive(.latency),
    ] {
      let policy = try MultipathPolicy(spread)
      var selector = PathSelector(policy: policy)
      var configuration = MultipathEngine.Configuration()
      configuration.policy = policy
      var engine = MultipathEngine(configuration: configuration, capacity: LoadShape.depth)
      for path in 0..<2 {
        selector.setAvailability(.optimized, of: path)
        engine.update(path, MultipathPathUpdate(availability: .optimized, association: 1, quiesceNanoseconds: nil))
      }
      var selecting: [Double] = []
      var deciding: [Double] = []
      for run in 0...runCount {
        let (selection, decision) = (select(&selector), decide(&engine))
        if run > 0 {
          selecting.append(selection)
          deciding.append(decision)
        }
      }
      tell("PathSelector alone, \(spread)", selecting)
      tell("MultipathEngine alone, \(spread)", deciding)
    }
  }

  private static func nanosecondsPerRequest(_ load: ChannelLoad) throws -> Double {
    let start = MonotonicClock.nanoseconds()
    for _ in 0..<roundsPerRun { try load.doRound() }
    return Double(MonotonicClock.nanoseconds() - start) / Double(roundsPerRun * LoadShape.depth)
  }

  /// As a channel with a full queue does it: what ends makes room for the next.
  @inline(never) private static func select(_ selector: inout PathSelector) -> Double {
    var outstanding = [Int](repeating: 0, count: LoadShape.depth)
    for index in outstanding.indices {
      outstanding[index] = selector.select()
      selector.began(outstanding[index])
    }
    let start = MonotonicClock.nanoseconds()
    for request in 0..<requestsPerRun {
      let slot = request % LoadShape.depth
      selector.ended(outstanding[slot])
      if selector.measuresLatency { selector.measured(outstanding[slot], nanoseconds: UInt64(20_000 + request & 255)) }
      let path = selector.select()
      selector.began(path)
      outstanding[slot] = path
    }
    let time = MonotonicClock.nanoseconds() - start
    for path in outstanding { selector.ended(path) }
    return Double(time) / Double(requestsPerRun)
  }

  @inline(never) private static func decide(_ engine: inout MultipathEngine) -> Double {
    for index in 0..<LoadShape.depth { _ = engine.admit(index, isModifying: false, nowNanoseconds: 1) }
    let start = MonotonicClock.nanoseconds()
    for request in 0..<requestsPerRun {
      let slot = request % LoadShape.depth
      _ = engine.completed(slot, outcome: .success, status: .success, nowNanoseconds: UInt64(20_000 + request & 255))
      _ = engine.admit(slot, isModifying: false, nowNanoseconds: 1)
    }
    let time = MonotonicClock.nanoseconds() - start
    for index in 0..<LoadShape.depth {
      _ = engine.completed(index, outcome: .success, status: .success, nowNanoseconds: 20_000)
    }
    return Double(time) / Double(requestsPerRun)
  }

  private static func tell(_ name: String, _ values: [Double]) {
    let sorted = values.sorted()
    func rounded(_ value: Double) -> Double { (value * 10).rounded() / 10 }
    print(
      "\(name): median \(rounded(sorted[sorted.count / 2])) ns, "
        + "quartiles \(rounded(sorted[sorted.count / 4]))...\(rounded(sorted[sorted.count * 3 / 4])) ns")
  }
}
