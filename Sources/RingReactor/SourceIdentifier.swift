/// Names a ``ReactorSource`` in its reactor's table: an index, and the generation of that index.
///
/// The generation makes completions of a source that is gone recognisable, so that they are dropped instead of being
/// handed to whoever uses the index now.
public struct SourceIdentifier: Hashable, Sendable {
  let index: UInt32
  /// 24 bits are used.
  let generation: UInt32

  init(index: UInt32, generation: UInt32) {
    self.index = index
    self.generation = generation & 0xFF_FFFF
  }

  /// The `user_data` of a ring entry: operation in bits 56–63, generation in 32–55, index in 0–31.
  func userData(operation: UInt8) -> UInt64 {
    UInt64(operation) << 56 | UInt64(generation) << 32 | UInt64(index)
  }
}
