import NVMeProtocol

/// One command identifier's state. The table of slots is allocated once, when the queue pair is made.
struct HostQueuePairSlot {
  enum Phase: UInt8 {
    case free
    /// In the send queue; not a byte of the capsule is with the socket.
    case queued
    /// The capsule is with the socket, or has been sent.
    case outstanding
    /// The controller has answered; the kernel still reads this command's memory.
    case answered
  }

  var command: SubmissionQueueEntry
  var data: DataSegments
  /// The data, where it lies in one piece: spares the walk over the vectors.
  var contiguous: UnsafeMutableRawPointer?
  var context: UnsafeMutableRawPointer?
  var token: UInt64
  var result: UInt64
  var deadlineNanoseconds: UInt64
  /// Data bytes received (a read), or asked for by R2T (a write).
  var transferredByteCount: UInt32
  /// What an R2T has asked for and no H2CData PDU carries yet.
  var requestedOffset: UInt32
  var requestedByteCount: UInt32
  var transferTag: UInt16
  /// Distinguishes a command from an earlier one in the same slot: the upper bits of its command identifier.
  var generation: UInt16
  var status: StatusField
  /// Sends under way that read this command's memory.
  var sendsUnderWay: UInt16
  var phase: Phase
  var direction: DataDirection
  var outcome: CommandOutcome
  var usesInCapsuleData: Bool
  var isInSendQueue: Bool

  init() {
    command = SubmissionQueueEntry(opcode: 0)
    data = .none
    context = nil
    token = 0
    result = 0
    deadlineNanoseconds = .max
    transferredByteCount = 0
    requestedOffset = 0
    requestedByteCount = 0
    transferTag = 0
    generation = 0
    status = StatusField(rawValue: 0)
    sendsUnderWay = 0
    phase = .free
    direction = .none
    outcome = .answered
    usesInCapsuleData = false
    isInSendQueue = false
  }
}
