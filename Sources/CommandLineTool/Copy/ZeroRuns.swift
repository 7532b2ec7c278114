import Glibc

/// Divides bytes into runs that are all zero and runs that are not, at multiples of a granularity.
struct ZeroRuns: Sequence {
  struct Run: Hashable {
    var byteCount: Int
    var isZero: Bool
  }

  struct Iterator: IteratorProtocol {
    private let bytes: UnsafeRawBufferPointer
    private let granularity: Int
    private var offset = 0

    init(_ bytes: UnsafeRawBufferPointer, granularity: Int) {
      self.bytes = bytes
      self.granularity = granularity
    }

    mutating func next() -> Run? {
      guard offset < bytes.count else { return nil }
      let first = offset
      let isZero = isZeroUnit(at: offset)
      repeat {
        offset = Swift.min(offset + granularity, bytes.count)
      } while offset < bytes.count
        && isZeroUnit(at: offset) == isZero
      return Run(byteCount: offset - first, isZero: isZero)
    }

    /// Zero if the first byte is, and each equals the next one.
    private func isZeroUnit(at offset: Int) -> Bool {
      let count = Swift.min(granularity, bytes.count - offset)
      let start = bytes.baseAddress! + offset
      return bytes[offset] == 0 && memcmp(start, start + 1, count - 1) == 0
    }
  }

  private let bytes: UnsafeRawBufferPointer
  private let granularity: Int

  init(_ bytes: UnsafeRawBufferPointer, granularity: Int) {
    self.bytes = bytes
    self.granularity = granularity
  }

  func makeIterator() -> Iterator { Iterator(bytes, granularity: granularity) }
}
