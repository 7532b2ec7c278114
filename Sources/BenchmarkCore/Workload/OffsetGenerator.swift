/// Where the next I/O goes: sequential, random without repeats, random, or skewed. Endless: a pass that has visited
/// every block is followed by another in another order.
struct OffsetGenerator: ~Copyable {
  private enum Mode {
    case sequential
    /// Every granule once a pass: in a permuted order, or with a map when I/Os of several sizes share the region.
    case covering(usesMap: Bool)
    case uniform
    case skewed
  }

  private let mode: Mode
  private let region: BlockRegion
  /// The unit of the random map, in bytes: the smallest block in use.
  private let granule: UInt64
  private let granuleCount: UInt64
  private let alignment: PerDirection<UInt64>
  private let randomPercent: PerDirection<UInt32>
  private let accessesPerOffset: UInt64
  private let repeatsOffset: Bool
  private let gap: UInt64
  private let seed: UInt64

  private var random: RandomGenerator
  private var sequentialNext: PerDirection<UInt64>
  private var permutation: BlockPermutation
  private var pass: UInt64 = 0
  private var index: UInt64 = 0
  private var map: BlockBitmap
  private let samplers: PerDirection<SkewedSampler?>
  private var accessesLeft: UInt64 = 0

  /// Bits of the map for mixed block sizes: 64 MiB of memory, which covers 2 TiB of 4 KiB blocks.
  static let maximumMapBlocks: UInt64 = 1 << 29

  /// Why the region cannot be covered without repeats, or nil.
  static func mapProblem(_ options: JobOptions, _ region: BlockRegion) -> String? {
    guard coversAll(options), !hasOneSize(options) else { return nil }
    let blocks = region.byteCount / UInt64(options.smallestBlock)
    guard blocks > maximumMapBlocks else { return nil }
    return "a random map of \(blocks) blocks for several block sizes would be too large: "
      + "give norandommap, a smaller size or one block size"
  }

  /// By fio's rules the map is off with norandommap, blockalign, a skewed distribution or partly sequential access.
  private static func coversAll(_ options: JobOptions) -> Bool {
    options.pattern.isRandom && !options.noRandomMap && options.distribution == .uniform
      && options.accessesPerOffset == 1
      && DataDirection.allCases.allSatisfy {
        options.blockAlignment[$0] == nil && options.randomPercent[$0] == 100
      }
  }

  /// Whether I/Os may become smaller than what was drawn for them.
  static func shortensBlocks(_ options: JobOptions) -> Bool { coversAll(options) && !hasOneSize(options) }

  private static func hasOneSize(_ options: JobOptions) -> Bool { options.smallestBlock == options.largestBlock }

  /// The region holds at least one block of the largest size.
  init(_ options: JobOptions, region: BlockRegion, seed: UInt64) {
    self.region = region
    self.seed = seed
    let granule = UInt64(options.smallestBlock)
    self.granule = granule
    granuleCount = max(1, region.byteCount / granule)
    var alignment = PerDirection<UInt64>(all: granule)
    for direction in DataDirection.allCases {
      alignment[direction] = UInt64(options.blockAlignment[direction] ?? options.blockSizes[direction].smallest)
    }
    self.alignment = alignment
    randomPercent = options.randomPercent
    accessesPerOffset = options.accessesPerOffset
    repeatsOffset = options.repeatsOffset
    gap = options.sequentialGap
    var seeds = seed
    random = RandomGenerator(seed: RandomGenerator.splitMix(&seeds))
    sequentialNext = PerDirection(all: region.start)
    permutation = BlockPermutation(count: granuleCount, key: seed)
    var samplers = PerDirection<SkewedSampler?>(all: nil)
    var mapBlocks: UInt64 = 0
    if !options.pattern.isRandom {
      mode = .sequential
    } else if Self.coversAll(options) {
      let usesMap = !Self.hasOneSize(options)
      mode = .covering(usesMap: usesMap)
      if usesMap { mapBlocks = granuleCount }
    } else if options.distribution == .uniform {
      mode = .uniform
    } else {
      mode = .skewed
      for direction in DataDirection.allCases where options.pattern.includes(direction) {
        samplers[direction] = SkewedSampler(
          options.distribution, count: max(1, region.byteCount / alignment[direction]), seed: seed)
      }
    }
    self.samplers = samplers
    map = BlockBitmap(count: mapBlocks)
  }

  /// The offset in bytes from the start of the device, and the length, which a random map may shorten.
  mutating func next(_ direction: DataDirection, byteCount: UInt32) -> PlannedOperation {
    switch mode {
    case .sequential:
      return sequential(direction, byteCount)
    case .covering(usesMap: false):
      let block = permutation[index]
      advance()
      return PlannedOperation(direction: direction, offset: region.start + block * granule, byteCount: byteCount)
    case .covering(usesMap: true):
      return mapped(direction, byteCount)
    case .uniform, .skewed:
      if accessesLeft > 0 {
        accessesLeft -= 1
        if repeatsOffset {
          return clamped(direction, sequentialNext[direction], byteCount)
        }
        return sequential(direction, byteCount)
      }
      let percent = randomPercent[direction]
      if percent < 100, random.below(100) >= UInt64(percent) { return sequential(direction, byteCount) }
      accessesLeft = accessesPerOffset - 1
      let step = alignment[direction]
      let offset: UInt64
      if let sampler = samplers[direction] {
        offset = region.start + sampler.next(&random) * step
      } else {
        let places = (region.byteCount - min(UInt64(byteCount), region.byteCount)) / step + 1
        offset = region.start + random.below(places) * step
      }
      let operation = clamped(direction, offset, byteCount)
      sequentialNext[direction] = repeatsOffset ? operation.offset : operation.offset + UInt64(byteCount)
      return operation
    }
  }

  /// Moves an I/O that would cross the end of the region to the last place where it fits.
  private func clamped(_ direction: DataDirection, _ offset: UInt64, _ byteCount: UInt32) -> PlannedOperation {
    let last = region.byteCount - min(UInt64(byteCount), region.byteCount)
    let step = alignment[direction]
    let relative = min(offset - region.start, last / step * step)
    return PlannedOperation(direction: direction, offset: region.start + relative, byteCount: byteCount)
  }

  private mutating func sequential(_ direction: DataDirection, _ byteCount: UInt32) -> PlannedOperation {
    let end = region.start + region.byteCount
    var offset = sequentialNext[direction]
    if offset >= end || end - offset < UInt64(byteCount) { offset = region.start }
    let (next, overflow) = (offset + UInt64(byteCount)).addingReportingOverflow(gap)
    sequentialNext[direction] = overflow ? end : next
    return PlannedOperation(direction: direction, offset: offset, byteCount: byteCount)
  }

  /// As fio does it: a granule anywhere, or the next free one behind it, so that what is free is used up from its
  /// beginnings and stays in long runs; free granules drawn one by one would soon leave room for small blocks only.
  private mutating func mapped(_ direction: DataDirection, _ byteCount: UInt32) -> PlannedOperation {
    if map.freeCount == 0 { map.clear() }
    let block = map.firstFree(from: random.below(granuleCount))
    // A size that is no multiple of the granule leaves some of its last one unused.
    let length = map.freeRun(from: block, limit: (UInt64(byteCount) + granule - 1) / granule)
    map.insert(block, length: length)
    return PlannedOperation(
      direction: direction, offset: region.start + block * granule,
      byteCount: UInt32(min(UInt64(byteCount), length * granule)))
  }

  private mutating func advance() {
    index += 1
    guard index == granuleCount else { return }
    index = 0
    pass += 1
    permutation = BlockPermutation(count: granuleCount, key: seed &+ pass &* 0x9e37_79b9_7f4a_7c15)
  }
}
