internal import NVMeProtocol

/// One request of a ``NVMeChannel`` under way; it may take several commands. The table is allocated with the channel.
struct NVMeRequestSlot {
  var request = BlockRequest(.flush)
  /// Blocks for which commands have been submitted.
  var issuedBlockCount: UInt32 = 0
  var commandsUnderWay: UInt32 = 0
  var status = StatusField(rawValue: 0)
  var outcome = BlockOutcome.success
  /// A command of this request has reached the controller, or may have.
  var hasReachedController = false
  var isWaiting = false
  /// Where the single piece of memory, or the dataset management range, is described; its address is stable.
  var vector = IOVector(base: nil, count: 0)
  /// A dataset management range as it goes over the wire (NVM Command Set 1.1).
  var range: (context: UInt32, blockCount: UInt32, startingLBA: UInt64) = (0, 0, 0)
}
