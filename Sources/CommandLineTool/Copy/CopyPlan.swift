/// Holds the options of a copy against its two ends before anything is moved.
enum CopyPlan {
  static let maximumMemoryByteCount = 4 << 30
  /// No sum of an offset, a length and what has been done leaves the 63 bits that the system has for places in files.
  static let maximumOffset: UInt64 = 1 << 61

  /// - Parameter destination: nil before it is opened, which makes a file where there is none: then what is wrong
  ///   whatever it is.
  /// - Throws: ``ToolError`` of kind usage that says which option is wrong and what would be right.
  static func check(
    source: any CopyEndpoint, destination: (any CopyEndpoint)?, options: CopyOptions
  ) throws(ToolError) {
    let granularity = max(source.alignment, destination?.alignment ?? 1)
    guard (1...1024).contains(options.depth) else { throw .usage("--depth is 1 to 1024, not \(options.depth)") }
    guard options.chunkByteCount > 0, options.chunkByteCount <= 64 << 20 else {
      throw .usage("--block-size is 1 byte to 64 MiB, not \(options.chunkByteCount)")
    }
    guard options.chunkByteCount % granularity == 0 else {
      throw .usage("--block-size \(options.chunkByteCount) is not a multiple of the block size \(granularity)")
    }
    let buffers = options.mode == .verify || options.verifiesEachChunk ? 2 : 1
    guard options.chunkByteCount * options.depth * buffers <= maximumMemoryByteCount else {
      throw .usage("--depth × --block-size is more than 4 GiB of memory; make one of them smaller")
    }
    try checkAlignment("--offset", options.sourceOffset, source)
    try checkAlignment("--resume-from", options.resumeOffset, source)
    if let byteCount = options.byteCount { try checkAlignment("--length", byteCount, source) }
    let length = try checkRange(source: source, options: options)
    if options.mode == .verify, source.isSequential {
      throw .usage("\(source.name) cannot be compared at any place: give a file or a device")
    }
    guard let destination else { return }
    try checkAlignment("--destination-offset", options.destinationOffset, destination)
    try checkAlignment("--resume-from", options.resumeOffset, destination)
    if let length { try checkRoom(for: length, destination: destination, options: options) }
    if options.mode == .copy, options.resumeOffset > 0, !destination.isSequential, destination.byteCount == 0 {
      throw .usage(
        "--resume-from \(options.resumeOffset): \(destination.name) is empty, so nothing has been done before; leave "
          + "--resume-from out")
    }
    if options.mode == .copy, options.resumeOffset > 0, !destination.isSequential, let size = destination.byteCount,
      options.destinationOffset + options.resumeOffset > size
    {
      throw .usage(
        "--resume-from \(options.resumeOffset): \(destination.name) has \(size) bytes, so no more than "
          + "\(size - min(size, options.destinationOffset)) of the range have been done before")
    }
    if options.mode == .verify || options.verifiesEachChunk, destination.isSequential {
      throw .usage("\(destination.name) cannot be read back: leave --verify out")
    }
    if destination.isSequential, options.destinationOffset > 0 {
      throw .usage("\(destination.name) is written from its beginning: leave --destination-offset out")
    }
  }

  private static func checkAlignment(
    _ option: String, _ value: UInt64, _ end: any CopyEndpoint
  ) throws(ToolError) {
    guard value % UInt64(end.alignment) == 0 else {
      throw .usage("\(option) \(value) is not a multiple of the block size of \(end.name), \(end.alignment)")
    }
  }

  /// - Returns: how much is to be copied; nil when that shows only at the source's end.
  private static func checkRange(source: any CopyEndpoint, options: CopyOptions) throws(ToolError) -> UInt64? {
    for (option, value) in [
      ("--offset", options.sourceOffset), ("--destination-offset", options.destinationOffset),
      ("--length", options.byteCount ?? 0), ("--resume-from", options.resumeOffset),
    ] where value > maximumOffset {
      throw .usage("\(option) is at most 2 EiB, not \(value)")
    }
    if let size = source.byteCount {
      guard options.sourceOffset <= size else {
        throw .usage("--offset \(options.sourceOffset) is beyond the end of \(source.name), which has \(size) bytes")
      }
      if let length = options.byteCount, length > size - options.sourceOffset {
        throw .usage(
          "--length \(length) reaches beyond the end of \(source.name), which has \(size) bytes "
            + "(\(size - options.sourceOffset) behind --offset)")
      }
    }
    let length = options.byteCount ?? source.byteCount.map { $0 - options.sourceOffset }
    if let length, options.resumeOffset > length {
      throw .usage("--resume-from \(options.resumeOffset) is beyond the \(length) bytes to be copied")
    }
    return length
  }

  private static func checkRoom(
    for length: UInt64, destination: any CopyEndpoint, options: CopyOptions
  ) throws(ToolError) {
    guard let capacity = destination.capacity else { return }
    let (end, overflow) = options.destinationOffset.addingReportingOverflow(length)
    guard !overflow, end <= capacity else {
      let room = capacity - min(capacity, options.destinationOffset)
      throw .usage(
        "\(length) bytes do not fit into \(destination.name), which has room for \(room)"
          + (options.destinationOffset > 0 ? " behind --destination-offset" : "")
          + "; give a smaller --length")
    }
  }
}
