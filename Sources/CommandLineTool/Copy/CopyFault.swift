import BlockDevice

/// Why a piece of a copy could not be read, written or verified.
struct CopyFault: Error, Hashable, Sendable, CustomStringConvertible {
  enum Kind: Hashable, Sendable {
    /// The device reports an error.
    case device
    /// The connection was lost.
    case connection
    /// A local file or stream.
    case file
    /// The destination is full, and has no room to be made.
    case full
    /// Source and destination differ.
    case mismatch
    /// The copy ends for another reason.
    case stopped
  }

  static let stopped = CopyFault(.stopped, "the copy was stopped", isFatal: true)

  var kind: Kind
  /// Where and what, for people; a device's error names the blocks.
  var description: String
  /// Going on elsewhere is of no use.
  var isFatal: Bool

  init(_ kind: Kind, _ description: String, isFatal: Bool = false) {
    self.kind = kind
    self.description = description
    self.isFatal = isFatal
  }

  init(_ error: BlockError) {
    description = error.description
    switch error.cause {
    case .failed(.connectionLost, _), .failed(.notSent, _), .refused(.closed),
      .refused(.noQueueOnReactor):
      kind = .connection
      isFatal = true
    case .failed(.systemError, _):
      kind = .file
      isFatal = false
    // The same would be said of every other block.
    case .refused(.readOnly), .refused(.unsupported):
      kind = .device
      isFatal = true
    case .refused, .failed:
      kind = .device
      isFatal = false
    }
  }
}
