internal import BlockDevice

/// A read or write between its capsule and its answer.
final class SimulatedIO {
  weak var queue: SimulatedTargetQueue?
  let slot: Int
  let command: SubmissionQueueEntry
  /// What a write writes, when its data is there.
  var values: [UInt64] = []
  /// It is done, or will never be.
  var isOver = false
  /// Counts how often its time has been set: an earlier time that comes is not meant.
  var schedule = 0
  /// The host has taken another command's answer for this one's: for ``PlantedWireBug``.
  var hasFalseAnswer = false

  init(queue: SimulatedTargetQueue, slot: Int, command: SubmissionQueueEntry) {
    self.queue = queue
    self.slot = slot
    self.command = command
  }

  var isWrite: Bool { command.opcode == IOOpcode.write.rawValue }
  var block: Int { Int(command.startingLBA) }
}
