internal import Glibc

/// When the next I/O of one direction should start, if a rate is set.
///
/// The schedule does not wait for the device: an I/O that starts late keeps its planned start, and its latency counts
/// from there. Otherwise a stalled device would hide its stall by not being asked (coordinated omission).
public struct RatePacer: Sendable {
  private let unitsPerSecond: UInt64
  private let countsBytes: Bool
  private let process: RateProcess
  private var random: RandomGenerator
  /// Where the schedule starts, nanoseconds on the job's clock.
  private var base: UInt64 = 0
  private var units: UInt64 = 0
  private var poissonNext: Double = 0

  /// nil without a rate in `direction`.
  public init?(_ options: JobOptions, _ direction: DataDirection, seed: UInt64) {
    if let bytes = options.rateBytes[direction] {
      unitsPerSecond = bytes
      countsBytes = true
    } else if let operations = options.rateIOPS[direction] {
      unitsPerSecond = operations
      countsBytes = false
    } else {
      return nil
    }
    process = options.rateProcess
    random = RandomGenerator(seed: seed ^ 0x7261_7465)
  }

  public mutating func start(at now: UInt64) {
    base = now
    units = 0
    poissonNext = 0
  }

  /// Moves the schedule by a pause that the rate shall not catch up.
  public mutating func postpone(by nanoseconds: UInt64) {
    base &+= nanoseconds
  }

  /// The planned start of the next I/O.
  public var nextStart: UInt64 {
    switch process {
    case .linear:
      let product = units.multipliedFullWidth(by: 1_000_000_000)
      guard product.high < unitsPerSecond else { return UInt64.max }
      return base &+ unitsPerSecond.dividingFullWidth(product).quotient
    case .poisson:
      return base &+ UInt64(min(poissonNext, 9e18))
    }
  }

  /// How many I/Os of `byteCount` should have started by `now`, and are not even planned; of a Poisson process, about.
  func overdueCount(at now: UInt64, byteCount: UInt32) -> UInt64 {
    let start = nextStart
    guard start < now else { return 0 }
    let units = Double(now - start) / 1e9 * Double(unitsPerSecond)
    return 1 + UInt64(min(units / (countsBytes ? Double(byteCount) : 1), 9e18))
  }

  /// Accounts for an I/O of `byteCount` as planned.
  public mutating func plan(byteCount: UInt32) {
    let amount: UInt64 = countsBytes ? UInt64(byteCount) : 1
    units &+= amount
    if process == .poisson {
      let mean = Double(amount) * 1e9 / Double(unitsPerSecond)
      poissonNext += -log(1 - random.unit()) * mean
    }
  }
}
