internal import BlockDevice

/// The frame of all cases in which a target is disturbed under load: a multipath host, a load that verifies, a look over
/// a connection of its own whether the target really holds what it has acknowledged, and a report of what it all cost.
struct DisturbedLoad: Sendable {
  let control: any TargetControl
  let session: MultipathSession
  let context: ConformanceContext

  enum Failures: Sendable {
    /// No request may fail.
    case none
    /// Requests may fail.
    case tolerated
    /// Some must fail.
    case expected
  }

  /// Runs a load while `disturb` does its worst, which ends with the target as it was.
  static func run(
    _ context: ConformanceContext, _ options: MultipathSession.Options, failures: Failures = .none,
    _ disturb: (DisturbedLoad) async throws -> Void
  ) async throws {
    let control = try context.requireControl()
    var outcome = VerifyingLoad.Outcome()
    try await MultipathSession.with(context, options) { session in
      let result = await Result.catching {
        outcome = try await VerifyingLoad.run(on: session.device, toleratesFailures: failures != .none) {
          try await disturb(DisturbedLoad(control: control, session: session, context: context))
        }
      }
      tell(session.device.snapshot.statistics, outcome, context)
      try result.get()
      if failures == .expected, !session.device.isGone {
        // It works again for who comes later, too.
        outcome.add(
          try await VerifyingLoad.run(on: session.device, isSecond: true) {
            try await Task.sleep(for: .milliseconds(200))
          })
      }
    }
    try await HostSession.with(context) { session in
      let before = outcome.comparisonCount
      try await VerifyingLoad.compare(
        &outcome, on: try session.device(options.namespaceIdentifier(context)))
      context.notes.add("\(outcome.comparisonCount - before) places read back over another connection")
    }
    context.notes.add("\(outcome.mismatches.count) acknowledged writes corrupted or lost")
    if let first = outcome.mismatches.first {
      throw ConformanceFailure("\(outcome.mismatches.count) acknowledged writes are corrupted or lost: \(first)")
    }
    try expect(outcome.acknowledgedWriteCount > 0, "no write has been acknowledged")
    switch failures {
    case .none: try expectEqual(outcome.failureCount, 0, "failed requests")
    case .tolerated: break
    case .expected: try expect(outcome.failureCount > 0, "no request has failed")
    }
  }

  private static func tell(
    _ statistics: MultipathStatistics, _ outcome: VerifyingLoad.Outcome, _ context: ConformanceContext
  ) {
    context.notes.add(
      "\(outcome.requestCount) requests: \(outcome.acknowledgedWriteCount) writes acknowledged, "
        + "\(outcome.comparisonCount) reads compared, \(outcome.failureCount) failed; the longest took "
        + milliseconds(outcome.longest))
    let held = Duration.nanoseconds(Int64(clamping: statistics.longestStallNanoseconds))
    context.notes.add(
      "longest hold \(milliseconds(held)): \(statistics.holdCount) held, \(statistics.failoverCount) failovers, "
        + "\(statistics.retryCount) retries, \(statistics.fenceCount) fences")
  }

  private static func milliseconds(_ duration: Duration) -> String {
    "\(Int((duration / .milliseconds(1)).rounded())) ms"
  }

  /// Changes the target for as long as `body` runs.
  ///
  /// - Parameter change: makes the change when it is given true, and takes it back when it is given false.
  func during(_ change: (Bool) async throws -> Void, _ body: () async throws -> Void) async throws {
    let result = await Result.catching {
      try await change(true)
      try await body()
    }
    try await change(false)
    try result.get()
  }

  func wait(for what: String, within limit: Duration = .seconds(40), until condition: () -> Bool) async throws {
    try await session.wait(for: what, within: limit, until: condition)
  }
}
