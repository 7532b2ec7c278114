/// What a block device can be asked to do.
@frozen public enum BlockOperation: UInt8, Sendable, CaseIterable {
  case read
  case write
  /// Puts everything completed so far on stable media.
  case flush
  /// Gives blocks back; what they read as afterwards is the device's affair.
  case discard
  case writeZeroes
  /// Compares the blocks with the buffer; a difference is an error.
  case compare
  /// Has the device check that the blocks can be read, without sending them.
  case verify

  /// Whether the request comes with memory.
  @inlinable public var hasData: Bool { self == .read || self == .write || self == .compare }

  /// Whether it changes the device's content.
  @inlinable public var modifies: Bool { self == .write || self == .discard || self == .writeZeroes }
}
