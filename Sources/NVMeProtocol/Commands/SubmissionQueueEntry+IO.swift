/// I/O commands of the NVM Command Set (NVM Command Set 1.1, section 3.3).
extension SubmissionQueueEntry {
  /// The most blocks one Read, Write, Compare, Verify or Write Zeroes can name: NLB has 16 bits, zeroes based.
  @inlinable
  public static var maximumBlockCount: Int { 65536 }

  /// - Precondition: `blockCount` is 1 to 65,536.
  @inlinable
  static func blockRange(
    _ opcode: IOOpcode, namespaceIdentifier: UInt32, startingLBA: UInt64, blockCount: Int, control: UInt32
  ) -> SubmissionQueueEntry {
    precondition(blockCount >= 1 && blockCount <= maximumBlockCount, "blockCount is 1 to 65,536")
    var entry = SubmissionQueueEntry(opcode: opcode.rawValue, namespaceIdentifier: namespaceIdentifier)
    entry.startingLBA = startingLBA
    entry.cdw12 = UInt32(truncatingIfNeeded: blockCount - 1) | control
    return entry
  }

  /// - Parameter blockCount: 1 to 65,536; anything else is a programming error.
  @inlinable
  public static func read(
    namespaceIdentifier: UInt32, startingLBA: UInt64, blockCount: Int, forceUnitAccess: Bool = false
  ) -> SubmissionQueueEntry {
    blockRange(
      .read, namespaceIdentifier: namespaceIdentifier, startingLBA: startingLBA, blockCount: blockCount,
      control: forceUnitAccess ? 1 << 30 : 0)
  }

  /// - Parameter blockCount: 1 to 65,536; anything else is a programming error.
  @inlinable
  public static func write(
    namespaceIdentifier: UInt32, startingLBA: UInt64, blockCount: Int, forceUnitAccess: Bool = false
  ) -> SubmissionQueueEntry {
    blockRange(
      .write, namespaceIdentifier: namespaceIdentifier, startingLBA: startingLBA, blockCount: blockCount,
      control: forceUnitAccess ? 1 << 30 : 0)
  }

  /// - Parameter blockCount: 1 to 65,536; anything else is a programming error.
  @inlinable
  public static func compare(
    namespaceIdentifier: UInt32, startingLBA: UInt64, blockCount: Int, forceUnitAccess: Bool = false
  ) -> SubmissionQueueEntry {
    blockRange(
      .compare, namespaceIdentifier: namespaceIdentifier, startingLBA: startingLBA, blockCount: blockCount,
      control: forceUnitAccess ? 1 << 30 : 0)
  }

  /// Reads from the media without transferring data.
  /// - Parameter blockCount: 1 to 65,536; anything else is a programming error.
  @inlinable
  public static func verify(
    namespaceIdentifier: UInt32, startingLBA: UInt64, blockCount: Int, forceUnitAccess: Bool = false
  ) -> SubmissionQueueEntry {
    blockRange(
      .verify, namespaceIdentifier: namespaceIdentifier, startingLBA: startingLBA, blockCount: blockCount,
      control: forceUnitAccess ? 1 << 30 : 0)
  }

  /// - Parameters:
  ///   - blockCount: 1 to 65,536; anything else is a programming error.
  ///   - deallocate: DEAC, bit 25: the controller should deallocate the blocks if that leaves them reading as zeroes.
  @inlinable
  public static func writeZeroes(
    namespaceIdentifier: UInt32, startingLBA: UInt64, blockCount: Int, deallocate: Bool = false,
    forceUnitAccess: Bool = false
  ) -> SubmissionQueueEntry {
    blockRange(
      .writeZeroes, namespaceIdentifier: namespaceIdentifier, startingLBA: startingLBA, blockCount: blockCount,
      control: (forceUnitAccess ? 1 << 30 : 0) | (deallocate ? 1 << 25 : 0))
  }

  /// Marks blocks as unreadable until they are written again.
  /// - Parameter blockCount: 1 to 65,536; anything else is a programming error.
  @inlinable
  public static func writeUncorrectable(
    namespaceIdentifier: UInt32, startingLBA: UInt64, blockCount: Int
  ) -> SubmissionQueueEntry {
    blockRange(
      .writeUncorrectable, namespaceIdentifier: namespaceIdentifier, startingLBA: startingLBA,
      blockCount: blockCount, control: 0)
  }

  /// - Parameter namespaceIdentifier: FFFFFFFFh flushes all namespaces if the controller's VWC says so.
  @inlinable
  public static func flush(namespaceIdentifier: UInt32) -> SubmissionQueueEntry {
    SubmissionQueueEntry(opcode: IOOpcode.flush.rawValue, namespaceIdentifier: namespaceIdentifier)
  }

  /// Dataset Management; the data is `rangeCount` encoded `DatasetManagementRange`s, 16 bytes each.
  /// - Parameters:
  ///   - rangeCount: 1 to 256; anything else is a programming error.
  ///   - deallocate: AD, bit 2 of dword 11.
  ///   - integralForWrite: IDW, bit 1. - integralForRead: IDR, bit 0.
  @inlinable
  public static func datasetManagement(
    namespaceIdentifier: UInt32, rangeCount: Int, deallocate: Bool, integralForWrite: Bool = false,
    integralForRead: Bool = false
  ) -> SubmissionQueueEntry {
    precondition(rangeCount >= 1 && rangeCount <= 256, "rangeCount is 1 to 256")
    var entry = SubmissionQueueEntry(
      opcode: IOOpcode.datasetManagement.rawValue, namespaceIdentifier: namespaceIdentifier)
    entry.cdw10 = UInt32(truncatingIfNeeded: rangeCount - 1)
    entry.cdw11 = (deallocate ? 1 << 2 : 0) | (integralForWrite ? 1 << 1 : 0) | (integralForRead ? 1 : 0)
    return entry
  }
}
