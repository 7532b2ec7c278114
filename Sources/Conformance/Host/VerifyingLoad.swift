internal import BlockDevice
internal import Synchronization

/// Writes and reads on a device while it is disturbed. Each worker has places of its own, in turn; it reads what a place
/// holds before it writes there again, so that whatever happened to it since the last write is noticed, and that must be
/// what was last acknowledged. A request that fails is a failure, unless failures are to be expected; a place whose
/// content cannot be known, because a write to it may still be executed, is not used again.
final class VerifyingLoad: Sendable {
  /// What a load has come to.
  struct Outcome: Sendable {
    var requestCount = 0
    var failureCount = 0
    var acknowledgedWriteCount = 0
    var comparisonCount = 0
    /// Reads that showed something else than was acknowledged last: corrupted, or lost.
    var mismatches: [String] = []
    /// The longest time that one request took.
    var longest = Duration.zero
    /// What the device must hold in the end.
    var places: [Place] = []

    mutating func add(_ other: Outcome) {
      requestCount += other.requestCount
      failureCount += other.failureCount
      acknowledgedWriteCount += other.acknowledgedWriteCount
      comparisonCount += other.comparisonCount
      mismatches += other.mismatches
      longest = max(longest, other.longest)
      places += other.places
    }
  }

  /// Blocks that belong to one worker.
  struct Place: Sendable {
    var address: UInt64
    /// Of the content that was acknowledged last; nil when it is not known.
    var seed: UInt64?
  }

  private static let workerCount = 8
  private static let blocksPerPlace = 4
  private static let placesPerWorker = 8
  /// What a worker may use up of places that it must not touch again.
  private static let sparePlaces = 100

  private let isStopping = Atomic<Bool>(false)
  private let acknowledgedWriteCount = Atomic<Int>(0)
  private let toleratesFailures: Bool

  private init(toleratesFailures: Bool) { self.toleratesFailures = toleratesFailures }

  /// Runs a load on `device` while `body` disturbs it, which begins when the load is under way.
  ///
  /// - Parameters:
  ///   - toleratesFailures: requests may fail; what has been acknowledged must still be read back.
  ///   - isSecond: it touches nothing that another load has.
  static func run(
    on device: any BlockDevice, toleratesFailures: Bool = false, isSecond: Bool = false,
    while body: () async throws -> Void
  ) async throws -> Outcome {
    let load = VerifyingLoad(toleratesFailures: toleratesFailures)
    return try await withThrowingTaskGroup(of: Outcome.self) { group in
      for worker in 0..<Self.workerCount {
        let worker = isSecond ? worker + Self.workerCount : worker
        group.addTask { try await load.work(worker, on: device) }
      }
      let result = await Result.catching {
        try await load.waitUntilUnderWay()
        try await body()
      }
      load.isStopping.store(true, ordering: .relaxed)
      var total = Outcome()
      for try await outcome in group { total.add(outcome) }
      try result.get()
      return total
    }
  }

  private func waitUntilUnderWay() async throws {
    let deadline = ContinuousClock.now + .seconds(20)
    while acknowledgedWriteCount.load(ordering: .relaxed) < 16 * Self.workerCount {
      guard ContinuousClock.now < deadline else { throw ConformanceFailure("no load has come about within 20 s") }
      try await Task.sleep(for: .milliseconds(5))
    }
  }

  /// Reads the places of a load that has ended, over whatever device, and adds what that comes to.
  static func compare(_ outcome: inout Outcome, on device: any BlockDevice) async throws {
    let check = DeviceCheck(device)
    let (expected, read) = buffers(check)
    for place in outcome.places {
      guard let seed = place.seed else { continue }
      try await check.read(read, at: place.address)
      expected.fill(seed: seed)
      outcome.note(place, isEqual: read.isEqual(to: expected))
    }
  }

  private func work(_ worker: Int, on device: any BlockDevice) async throws -> Outcome {
    var outcome = Outcome()
    let check = DeviceCheck(device)
    let (written, read) = Self.buffers(check)
    // A gap behind each place, so that none touches another's neighbour.
    let stride = UInt64(2 * Self.blocksPerPlace)
    var nextAddress = UInt64(worker * (Self.placesPerWorker + Self.sparePlaces)) * stride
    let end = nextAddress + UInt64(Self.placesPerWorker + Self.sparePlaces) * stride
    func fresh() throws -> Place {
      guard nextAddress < end else { throw ConformanceFailure("too many writes ended without a known outcome") }
      defer { nextAddress += stride }
      return Place(address: nextAddress)
    }
    for _ in 0..<Self.placesPerWorker { outcome.places.append(try fresh()) }
    var nextIndex = 0
    var isCompared = false
    repeat {
      let index = nextIndex
      let place = outcome.places[index]
      let start = ContinuousClock.now
      outcome.requestCount += 1
      do {
        if !isCompared, let seed = place.seed {
          try await check.read(read, at: place.address)
          written.fill(seed: seed)
          outcome.note(place, isEqual: read.isEqual(to: written))
          isCompared = true
        } else {
          isCompared = false
          nextIndex = (index + 1) % Self.placesPerWorker
          let seed = UInt64(worker) << 32 | UInt64(outcome.requestCount)
          outcome.places[index].seed = nil
          written.fill(seed: seed)
          try await check.write(written, at: place.address)
          outcome.places[index].seed = seed
          outcome.acknowledgedWriteCount += 1
          acknowledgedWriteCount.add(1, ordering: .relaxed)
        }
      } catch let error as BlockError where toleratesFailures {
        outcome.failureCount += 1
        // It may still be executed: nothing that is written there from now on is safe.
        if error.operation.modifies, error.isOutcomeUnknown { outcome.places[index] = try fresh() }
        try await Task.sleep(for: .milliseconds(5))
      }
      outcome.longest = max(outcome.longest, ContinuousClock.now - start)
    } while !isStopping.load(ordering: .relaxed)
    return outcome
  }

  private static func buffers(_ check: DeviceCheck) -> (Buffer, Buffer) {
    let byteCount = blocksPerPlace * check.blockByteCount
    return (Buffer(byteCount: byteCount), Buffer(byteCount: byteCount))
  }
}

extension VerifyingLoad.Outcome {
  fileprivate mutating func note(_ place: VerifyingLoad.Place, isEqual: Bool) {
    comparisonCount += 1
    if !isEqual { mismatches.append("blocks from \(place.address) on do not hold what was acknowledged last") }
  }
}
