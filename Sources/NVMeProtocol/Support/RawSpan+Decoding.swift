extension RawSpan {
  /// - Throws: `DecodingError` if fewer than `count` bytes are there.
  @inlinable
  func require(_ count: Int, of structure: @autoclosure () -> String) throws(DecodingError) {
    guard byteCount >= count else {
      throw DecodingError(
        structure: structure(), offset: 0, reason: .truncated(needed: count, available: byteCount))
    }
  }

  /// - Precondition: the range lies within the span.
  func copyBytes(_ range: Range<Int>) -> [UInt8] {
    withUnsafeBytes { Array($0[range]) }
  }

  /// A little-endian integer at any alignment.
  /// - Precondition: it lies within the span.
  func loadInteger<T: FixedWidthInteger & BitwiseCopyable>(_ offset: Int, as type: T.Type = T.self) -> T {
    T(littleEndian: unsafeLoadUnaligned(fromByteOffset: offset, as: type))
  }
}

extension Array where Element == UInt8 {
  mutating func appendLittleEndian<T: FixedWidthInteger>(_ value: T) {
    for index in 0..<T.bitWidth / 8 { append(UInt8(truncatingIfNeeded: value >> T(index * 8))) }
  }
}
