package import NVMeProtocol

/// One command between its capsule and its response.
package struct TargetSlot {
  package enum Phase: UInt8 {
    case free
    /// With the owner: to be executed, or held (asynchronous event requests, commands never to be answered).
    case owned
    /// Its data is coming, in the capsule or after an R2T.
    case receiving
    /// Answer ready, held back by a fault's delay.
    case delayed
    /// In the send queue with data or a response.
    case answering
  }

  /// What stands in the send queue for it.
  enum Pending: UInt8 {
    case nothing
    case readyToTransfer
    case data
    case response
  }

  package var command = SubmissionQueueEntry(opcode: 0)
  package var phase = Phase.free
  var pending = Pending.nothing
  /// Changes each time the slot is used again: transfer tags and delayed answers of its earlier life do not fit.
  package var generation: UInt16 = 0
  /// Its identifier was that of another outstanding command.
  var isConflict = false
  /// The owner's: what the command was begun on.
  package var subject: UInt = 0
  /// Bytes of in-capsule data that came with it.
  package var inCapsuleByteCount: UInt32 = 0

  /// Where data goes to or comes from; nil for a destination means that it is thrown away.
  var memory: UnsafeMutableRawPointer?
  /// Bytes of data in all.
  var dataByteCount: UInt32 = 0
  /// Bytes received or sent so far.
  var transferredByteCount: UInt32 = 0
  /// Where the present R2T ends.
  var requestedEnd: UInt32 = 0
  /// The source is so many bytes long and sent again and again; 0: it is `dataByteCount` long.
  var sourcePeriod: UInt32 = 0
  var hasDigestError = false

  /// A buffer of the queue pair's pool that it holds: size class, or -1.
  var bufferClass: Int8 = -1
  var buffer: UnsafeMutableRawPointer?

  var completion = CompletionQueueEntry()

  // Faults.
  /// How long the answer is held back.
  package var delayNanoseconds: UInt64 = 0
  package var corruptsHeaderDigest = false
  package var corruptsDataDigest = false

  package init() {}
}
