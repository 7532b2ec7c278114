extension RawSpan {
  /// - Throws: `DecodingError` if fewer than `count` bytes are there.
  @inlinable
  func require(_ count: Int, of structure: @autoclosure () -> String) throws(DecodingError) {
    guard byteCount >= count else {
      throw DecodingError(
        structure: structure(), offset: 0, reason: .truncated(needed: count, available: byteCount))
    }
  }
}
