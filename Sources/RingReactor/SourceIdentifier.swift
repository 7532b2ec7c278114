/// Names a ``ReactorSource`` in its reactor's table: an index, and the generation of that index.
///
/// The generation makes completions of a source that is gone recognisable, so that they are dropped instead of being
/// handed to whoever uses the index now.
public struct SourceIdentifier: Hashable, Sendable {
  /// 24 bits are used.
  let index: UInt32
  let generation: UInt16

  init(index: UInt32, generation: UInt16) {
    self.index = index & 0xFF_FFFF
    self.generation = generation
  }

  /// What `userData(operation:tag:)` was made of.
  init(userData: UInt64) {
    index = UInt32(truncatingIfNeeded: userData) & 0xFF_FFFF
    generation = UInt16(truncatingIfNeeded: userData >> 24)
  }

  /// The `user_data` of a ring entry: operation in bits 56–63, tag in 40–55, generation in 24–39, index in 0–23.
  func userData(operation: UInt8, tag: UInt16) -> UInt64 {
    UInt64(operation) << 56 | UInt64(tag) << 40 | UInt64(generation) << 24 | UInt64(index)
  }
}
