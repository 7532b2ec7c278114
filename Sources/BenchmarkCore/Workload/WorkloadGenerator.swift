/// What a job does next: direction by the mix, size by the mix, place by the pattern, until the amount is done.
///
/// The same options, region and seed give the same sequence. Not thread-safe; each job has its own.
public struct WorkloadGenerator: ~Copyable {
  private var offsets: OffsetGenerator
  private var mixRandom: RandomGenerator
  private var sizeRandom: RandomGenerator
  private let sizes: PerDirection<BlockSizePicker>
  private let only: DataDirection?
  private let writesWhatItTrims: Bool
  /// What has been trimmed and is to be written.
  private var trimmed: PlannedOperation?
  private let readPercent: UInt64
  private let granule: UInt64
  /// Bytes still to transfer; nil without limit.
  private var bytesLeft: UInt64?
  /// I/Os still to start; nil without limit.
  private var operationsLeft: UInt64?

  /// `byteLimit` is the amount of one loop, nil when only time ends the job.
  public init(_ options: JobOptions, region: BlockRegion, byteLimit: UInt64?, seed: UInt64) {
    offsets = OffsetGenerator(options, region: region, seed: seed)
    var seeds = seed ^ 0x6d69_782d_7365_6564
    mixRandom = RandomGenerator(seed: RandomGenerator.splitMix(&seeds))
    sizeRandom = RandomGenerator(seed: RandomGenerator.splitMix(&seeds))
    sizes = PerDirection(
      read: BlockSizePicker(options.blockSizes.read), write: BlockSizePicker(options.blockSizes.write),
      trim: BlockSizePicker(options.blockSizes.trim))
    only = options.pattern.onlyDirection
    writesWhatItTrims = options.pattern.writesWhatItTrims
    readPercent = UInt64(options.readMixPercent)
    granule = UInt64(options.smallestBlock)
    bytesLeft = byteLimit.map {
      let (product, overflow) = $0.multipliedReportingOverflow(by: options.loops)
      return overflow ? UInt64.max : product
    }
    operationsLeft = options.numberOfIOs == 0 ? nil : options.numberOfIOs
  }

  /// Whether the mix of reads and writes has any I/O in `direction`.
  @inline(__always)
  func hasShare(_ direction: DataDirection) -> Bool { direction == .read ? readPercent > 0 : readPercent < 100 }

  /// The direction of the next I/O. A rated job may override it, so it is a step of its own.
  @inline(__always)
  public mutating func nextDirection() -> DataDirection {
    if let only { return only }
    if writesWhatItTrims { return trimmed == nil ? .trim : .write }
    return mixRandom.below(100) < readPercent ? .read : .write
  }

  /// The next I/O in `direction`, which is what ``nextDirection()`` said where blocks are trimmed and written; nil when the
  /// amount is done. A write of what has been trimmed is none of the amount: as with fio, all of it is trimmed, and
  /// written.
  @inline(__always)
  public mutating func next(_ direction: DataDirection) -> PlannedOperation? {
    guard writesWhatItTrims else { return draw(direction) }
    if var operation = trimmed {
      trimmed = nil
      operation.direction = .write
      return operation
    }
    trimmed = draw(direction)
    return trimmed
  }

  @inline(__always)
  private mutating func draw(_ direction: DataDirection) -> PlannedOperation? {
    if let left = operationsLeft {
      guard left > 0 else { return nil }
      operationsLeft = left - 1
    }
    var size = sizes[direction].next(&sizeRandom)
    if let left = bytesLeft {
      if UInt64(size) > left {
        // The last I/O of the amount is shortened to whole granules.
        let rest = left / granule * granule
        guard rest > 0 else { return nil }
        size = UInt32(rest)
      }
      let operation = offsets.next(direction, byteCount: size)
      bytesLeft = left - UInt64(operation.byteCount)
      return operation
    }
    return offsets.next(direction, byteCount: size)
  }
}
