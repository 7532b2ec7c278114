internal import BlockDevice
internal import Synchronization

/// Writes and reads on a device while it is disturbed: each worker has blocks of its own, writes them, reads them back and
/// compares. A request that fails, or reads something else, is a failure, unless failures are to be expected.
final class VerifyingLoad: Sendable {
  /// What a load has come to.
  struct Outcome: Sendable {
    var requestCount = 0
    var failureCount = 0
    /// The longest time that one request took.
    var longest = Duration.zero
  }

  private let isStopping = Atomic<Bool>(false)

  /// Runs a load on `device` while `body` disturbs it.
  ///
  /// - Parameter toleratesFailures: requests may fail; what has been acknowledged must still be read back.
  static func run(
    on device: any BlockDevice, workerCount: Int = 8, toleratesFailures: Bool = false,
    while body: () async throws -> Void
  ) async throws -> Outcome {
    let load = VerifyingLoad()
    return try await withThrowingTaskGroup(of: Outcome.self) { group in
      for worker in 0..<workerCount {
        group.addTask { try await load.work(worker, on: device, toleratesFailures) }
      }
      let result = await Result.catching { try await body() }
      load.isStopping.store(true, ordering: .relaxed)
      var total = Outcome()
      for try await outcome in group {
        total.requestCount += outcome.requestCount
        total.failureCount += outcome.failureCount
        total.longest = max(total.longest, outcome.longest)
      }
      try result.get()
      return total
    }
  }

  private func work(_ worker: Int, on device: any BlockDevice, _ toleratesFailures: Bool) async throws -> Outcome {
    var outcome = Outcome()
    let check = DeviceCheck(device)
    let written = Buffer(byteCount: 4 * check.blockByteCount)
    let read = Buffer(byteCount: 4 * check.blockByteCount)
    let address = UInt64(worker * 8)
    /// Whether the blocks hold what was written last; not so after a write that failed.
    var isKnown = false
    repeat {
      let start = ContinuousClock.now
      outcome.requestCount += 1
      do {
        if isKnown && outcome.requestCount % 2 == 0 {
          try await check.read(read, at: address)
          if !read.isEqual(to: written) {
            throw ConformanceFailure("worker \(worker) has read something else than it has written")
          }
        } else {
          isKnown = false
          written.fill(seed: UInt64(worker) << 32 | UInt64(outcome.requestCount))
          try await check.write(written, at: address)
          isKnown = true
        }
      } catch let error as BlockError where toleratesFailures {
        _ = error
        outcome.failureCount += 1
        try await Task.sleep(for: .milliseconds(5))
      }
      outcome.longest = max(outcome.longest, ContinuousClock.now - start)
    } while !isStopping.load(ordering: .relaxed)
    return outcome
  }
}
