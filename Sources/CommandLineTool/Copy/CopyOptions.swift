/// What a copy is to do. All counts are in bytes.
struct CopyOptions: Hashable, Sendable {
  enum Mode: Hashable, Sendable {
    case copy
    /// Reads both ends and compares them.
    case verify
  }

  var mode = Mode.copy
  /// Where the range begins at the source.
  var sourceOffset: UInt64 = 0
  /// Where it begins at the destination.
  var destinationOffset: UInt64 = 0
  /// How long it is; nil: to the source's end.
  var byteCount: UInt64?
  /// So many of the range's bytes have been done before.
  var resumeOffset: UInt64 = 0
  /// A piece moved at once.
  var chunkByteCount = 256 * 1024
  /// Pieces under way at once.
  var depth = 32
  /// Zeroes are not sent.
  var isSparse = false
  /// Each piece is read back and compared, because the source cannot be read twice.
  var verifiesEachChunk = false
  var continuesOnError = false
  /// With `continuesOnError`: so many bad ranges are listed, then the copy stops.
  var maximumBadRangeCount = 1024
  /// Ranges that are known to differ: their faults are passed over (for the verification after a copy).
  var ignoredRanges: [Range<UInt64>] = []
}
