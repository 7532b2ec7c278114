internal import Glibc

/// One job, or one clone of it, placed on a device.
public struct JobSetup: Sendable {
  public var options: JobOptions
  /// Over all jobs of the run, from 0.
  public var threadNumber: Int
  public var region: BlockRegion
  /// Bytes of one loop; nil when only time ends the job.
  public var byteLimit: UInt64?
  public var seed: UInt64
  /// What `verify` marks the job's blocks with. No other run has it, even with the same seed: a write that was lost
  /// must not be taken for done because an earlier run left the same bytes there.
  public var writerIdentity: UInt64
  public var progress: JobProgress
  public var stop: StopSignal

  /// Places a job on a device.
  ///
  /// - Parameters:
  ///   - clone: which of the job's `numjobs`, from 0.
  ///   - capacityBytes: of the device.
  ///   - blockByteCount: of the device's logical blocks: sizes and places must be multiples of it.
  /// - Throws: ``JobFailure`` of kind `setup`, saying which option does not fit.
  public init(
    options: JobOptions, clone: Int, threadNumber: Int, capacityBytes: UInt64, blockByteCount: UInt32,
    stop: StopSignal, randomness: UInt64 = UInt64.random(in: .min ... .max)
  ) throws(JobFailure) {
    func fail(_ text: String) -> JobFailure { JobFailure(.setup, "job '\(options.name)': \(text)") }
    let logicalBlock = UInt64(blockByteCount)
    for direction in DataDirection.allCases where options.pattern.includes(direction) {
      let sizes: [UInt32]
      switch options.blockSizes[direction] {
      case .fixed(let bytes): sizes = [bytes]
      case .range(let range): sizes = [range.lowerBound, range.upperBound]
      case .split(let shares): sizes = shares.map(\.bytes)
      }
      for size in sizes where size % blockByteCount != 0 {
        throw fail("block size \(size) is not a multiple of the device's \(blockByteCount)-byte blocks")
      }
      if let alignment = options.blockAlignment[direction], alignment % blockByteCount != 0 {
        throw fail("blockalign \(alignment) is not a multiple of the device's \(blockByteCount)-byte blocks")
      }
    }
    guard options.sequentialGap % logicalBlock == 0 else {
      throw fail("the gap of rw=…:\(options.sequentialGap) is not a multiple of \(blockByteCount)-byte blocks")
    }
    guard options.offsetAlignment % logicalBlock == 0, options.offsetAlignment <= capacityBytes else {
      throw fail(
        "offset_align \(options.offsetAlignment) is not a multiple of the device's \(blockByteCount)-byte blocks up to "
          + "its \(capacityBytes) bytes")
    }
    let smallest = UInt64(options.smallestBlock)
    let largest = UInt64(options.largestBlock)

    // Offsets in percent are rounded up to offset_align or the smallest block, others must fit as they are.
    func place(_ specification: SizeSpecification, _ name: String) throws(JobFailure) -> UInt64 {
      let bytes = specification.bytes(of: capacityBytes)
      guard case .percent = specification else {
        guard bytes % logicalBlock == 0 else {
          throw fail("\(name) \(bytes) is not a multiple of the device's \(blockByteCount)-byte blocks")
        }
        return bytes
      }
      let unit = max(options.offsetAlignment, smallest)
      return (bytes + unit - 1) / unit * unit
    }
    let increment = try place(options.offsetIncrement, "offset_increment")
    let (shift, overflow) = increment.multipliedReportingOverflow(by: UInt64(clone))
    let (start, overflow2) = (try place(options.offset, "offset")).addingReportingOverflow(shift)
    guard !overflow, !overflow2, start < capacityBytes else {
      throw fail("offset \(overflow || overflow2 ? "" : "\(start) ")is beyond the device's \(capacityBytes) bytes")
    }
    let available = capacityBytes - start
    var byteCount = available
    if let size = options.size {
      byteCount = size.bytes(of: capacityBytes)
      if case .bytes(let bytes) = size, bytes > available {
        throw fail("size \(bytes) at offset \(start) is beyond the device's \(capacityBytes) bytes")
      }
      byteCount = min(byteCount, available)
    }
    guard byteCount >= largest else {
      throw fail("the region of \(byteCount) bytes does not hold one block of \(largest) bytes")
    }
    byteCount = byteCount / smallest * smallest
    guard byteCount >= largest else {
      throw fail("\(byteCount) bytes, the region in whole blocks of \(smallest), do not hold one of \(largest)")
    }
    region = BlockRegion(start: start, byteCount: byteCount)
    if let problem = OffsetGenerator.mapProblem(options, region) { throw fail(problem) }
    if options.verify != nil {
      let unit = VerifyLayout.unit(of: options)
      guard start % UInt64(unit) == 0 else {
        throw fail("with verify, the offset \(start) must be a multiple of verify_interval (\(unit) bytes)")
      }
      guard !options.pattern.includes(.write) || byteCount / UInt64(unit) <= WriteLedger.maximumUnits else {
        throw fail("verify remembers at most \(WriteLedger.maximumUnits) units of \(unit) bytes; give a smaller size")
      }
    }
    // Buffers of all clones, which run at the same time.
    let buffers = (largest + 4095) / 4096 * 4096 * UInt64(options.totalDepth) * UInt64(options.jobCount)
    guard buffers <= Self.physicalMemoryByteCount / 2 else {
      throw fail(
        "iodepth × connections × block size × numjobs needs \(buffers) bytes of buffers, "
          + "more than half of this machine's memory")
    }
    if options.isTimeBased {
      byteLimit = nil
    } else if let ioSize = options.ioSize {
      byteLimit = ioSize.bytes(of: byteCount)
    } else {
      byteLimit = byteCount
    }
    self.options = options
    self.threadNumber = threadNumber
    self.stop = stop
    progress = JobProgress()
    // fio's default (randrepeat) gives every run the same numbers; clones differ from each other.
    var state = options.randomSeed ?? (options.randomRepeats ? 0x6e76_6d65_6f66 : randomness)
    state &+= UInt64(threadNumber) &* 0xd134_2543_de82_ef95
    seed = RandomGenerator.splitMix(&state)
    var writer = seed ^ randomness
    writerIdentity = RandomGenerator.splitMix(&writer)
  }

  /// Logs of single I/Os take at most an eighth of the memory, over all clones of a job.
  static func logByteLimit(_ options: JobOptions) -> UInt64 { physicalMemoryByteCount / 8 / UInt64(options.jobCount) }

  private static let physicalMemoryByteCount: UInt64 = {
    let bytes = sysconf(Int32(_SC_PHYS_PAGES)).multipliedReportingOverflow(by: sysconf(Int32(_SC_PAGESIZE)))
    return bytes.overflow || bytes.partialValue <= 0 ? 1 << 30 : UInt64(bytes.partialValue)
  }()
}
