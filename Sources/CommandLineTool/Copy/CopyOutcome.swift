/// How a copy ended. Offsets are bytes from the beginning of the range that was to be copied.
struct CopyOutcome: Sendable {
  struct BadRange: Hashable, Sendable {
    var range: Range<UInt64>
    var fault: CopyFault
  }

  /// Bytes that were moved or compared, zeroes included; those done before a resumed copy are not.
  var byteCount: UInt64 = 0
  /// Of these, zeroes that were not sent.
  var zeroByteCount: UInt64 = 0
  /// Bytes that could not be read or written, in ascending order; neighbours are joined.
  var badRanges: [BadRange] = []
  /// What ended it early.
  var failure: BadRange?
  var wasInterrupted = false
  /// Everything in front is done, but for the bad ranges.
  var resumeOffset: UInt64 = 0

  var isComplete: Bool { failure == nil && !wasInterrupted }
}
