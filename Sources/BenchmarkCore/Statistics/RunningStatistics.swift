/// Minimum, maximum, mean and standard deviation of a stream of values, in constant memory (Welford's method).
public struct RunningStatistics: Sendable, Equatable {
  public private(set) var count: UInt64 = 0
  public private(set) var minimum = UInt64.max
  public private(set) var maximum: UInt64 = 0
  public private(set) var mean = 0.0
  private var squares = 0.0

  public init() {}

  @inline(__always)
  public mutating func record(_ value: UInt64) {
    count &+= 1
    if value < minimum { minimum = value }
    if value > maximum { maximum = value }
    let number = Double(value)
    let delta = number - mean
    mean += delta / Double(count)
    squares += delta * (number - mean)
  }

  /// Of the sample, as fio computes it; 0 with fewer than two values.
  public var standardDeviation: Double {
    count > 1 ? (max(0, squares) / Double(count - 1)).squareRoot() : 0
  }

  /// The minimum, or 0 without values.
  public var reportedMinimum: UInt64 { count == 0 ? 0 : minimum }

  /// Joins the values of two streams.
  public mutating func merge(_ other: RunningStatistics) {
    guard other.count > 0 else { return }
    guard count > 0 else {
      self = other
      return
    }
    let ownCount = Double(count)
    let otherCount = Double(other.count)
    let delta = other.mean - mean
    let sum = ownCount + otherCount
    squares += other.squares + delta * delta * ownCount * otherCount / sum
    mean += delta * otherCount / sum
    count += other.count
    minimum = min(minimum, other.minimum)
    maximum = max(maximum, other.maximum)
  }

  /// Adds up streams that ran side by side, as fio does for the bandwidth of a group's jobs: the rates add, not the
  /// samples.
  public mutating func addConcurrent(_ other: RunningStatistics) {
    guard other.count > 0 else { return }
    guard count > 0 else {
      self = other
      return
    }
    squares += other.squares
    mean += other.mean
    count += other.count
    minimum += other.minimum
    maximum += other.maximum
  }
}
