import ArgumentParser
import BlockDevice
import ToolSupport

/// Which blocks a command is about.
struct BlockRangeOptions: ParsableArguments {
  @Option(
    name: .customLong("start-block"), help: ArgumentHelp("The first block", valueName: "lba"))
  var startBlock: ByteCount = ByteCount(0)

  @Option(
    name: [.customShort("c"), .customLong("block-count")],
    help: ArgumentHelp(
      "Blocks less one, as nvme-cli and the protocol count them: 0 is one block", valueName: "count"))
  var zeroesBasedCount: ByteCount?

  @Option(name: .customLong("blocks"), help: ArgumentHelp("Blocks, counted from one", valueName: "count"))
  var count: ByteCount?

  @Option(
    name: [.customShort("z"), .customLong("data-size")],
    help: ArgumentHelp("Bytes, a multiple of the block size", valueName: "bytes"))
  var byteCount: ByteCount?

  func validate() throws {
    let given = [zeroesBasedCount, count, byteCount].compactMap { $0 }
    if given.count > 1 { throw ValidationError("give one of --block-count, --blocks and --data-size") }
    if count?.value == 0 { throw ValidationError("--blocks is at least 1; to count from zero there is --block-count") }
    if byteCount?.value == 0 { throw ValidationError("--data-size is at least one block") }
  }

  /// Whether a number of blocks or bytes was given.
  var isCounted: Bool { zeroesBasedCount != nil || count != nil || byteCount != nil }

  /// The blocks asked for; nil when no number was given.
  ///
  /// - Throws: ``ToolError`` of kind usage.
  func blockCount(_ geometry: BlockGeometry) throws(ToolError) -> UInt64? {
    if let byteCount {
      guard byteCount.value % UInt64(geometry.blockByteCount) == 0 else {
        throw .usage("--data-size \(byteCount) is not a multiple of the block size, \(geometry.blockByteCount)")
      }
      return byteCount.value / UInt64(geometry.blockByteCount)
    }
    if let zeroesBasedCount {
      let (count, overflow) = zeroesBasedCount.value.addingReportingOverflow(1)
      return overflow ? .max : count
    }
    return count?.value
  }

  /// Holds a range against the device's size.
  func check(_ count: UInt64, _ geometry: BlockGeometry, name: String) throws(ToolError) {
    let (end, overflow) = startBlock.value.addingReportingOverflow(count)
    // Of a device that claims more bytes than 64 bits can count, no more than that.
    guard !overflow, end <= min(geometry.blockCount, geometry.byteCount / UInt64(geometry.blockByteCount)) else {
      throw .usage(
        "blocks \(startBlock)…\(overflow ? UInt64.max : end - 1) reach beyond the end of \(name): it has "
          + "\(geometry.blockCount) blocks of \(geometry.blockByteCount) bytes, the last is "
          + "\(geometry.blockCount - min(1, geometry.blockCount))")
    }
  }

  /// Carries out an operation that moves no data on the blocks asked for, or on one where no number was given.
  func carryOut(
    _ operation: BlockOperation, _ options: BlockOptions, on place: DeviceOptions
  ) async throws {
    try await place.withDevice(of: try place.resolve()) { device in
      let count = try blockCount(device.geometry) ?? 1
      try check(count, device.geometry, name: device.name)
      try await Self.forEachPiece(start: startBlock.value, count: count, device.geometry, atMost: 1 << 30) {
        start, count in
        do throws(BlockError) {
          try await device.perform(
            BlockRequest(operation, logicalBlockAddress: start, blockCount: count, options: options))
        } catch { throw ToolError(error) }
      }
    }
  }

  /// Calls `body` with pieces of the range that one request can have, and of at most so many bytes, in order.
  static func forEachPiece(
    start: UInt64, count: UInt64, _ geometry: BlockGeometry, atMost byteCount: UInt64 = 1 << 20,
    _ body: (_ start: UInt64, _ count: UInt32) async throws -> Void
  ) async throws {
    let most = max(1, min(UInt64(geometry.maximumRequestByteCount), byteCount) / UInt64(geometry.blockByteCount))
    var done: UInt64 = 0
    while done < count {
      let piece = min(most, count - done)
      try await body(start + done, UInt32(piece))
      done += piece
    }
  }
}
