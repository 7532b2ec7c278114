internal import CCRC32C

/// Memory that a case lends to a device. It belongs to one task at a time.
final class Buffer: @unchecked Sendable {
  let bytes: UnsafeMutableRawBufferPointer

  init(byteCount: Int) {
    bytes = .allocate(byteCount: byteCount, alignment: 4096)
    bytes.initializeMemory(as: UInt8.self, repeating: 0)
  }

  deinit { bytes.deallocate() }

  /// Content that is different for every seed and every place in it, a multiple of 8 bytes.
  func fill(seed: UInt64) {
    let words = bytes.bindMemory(to: UInt64.self)
    var state = seed &* 0x9E37_79B9_7F4A_7C15 | 1
    var index = 0
    while index < words.count {
      // xorshift64* (Marsaglia, Vigna): quick, and every word differs.
      state ^= state >> 12
      state ^= state << 25
      state ^= state >> 27
      words[index] = state &* 0x2545_F491_4F6C_DD1D
      index += 1
    }
  }

  func fill(_ byte: UInt8) {
    bytes.initializeMemory(as: UInt8.self, repeating: byte)
  }

  /// Where the two differ first; nil when they do not.
  func firstDifference(from other: Buffer, count: Int? = nil) -> Int? {
    let count = count ?? min(bytes.count, other.bytes.count)
    return zip(bytes[..<count], other.bytes[..<count]).enumerated().first { $0.element.0 != $0.element.1 }?.offset
  }

  func isEqual(to other: Buffer) -> Bool {
    bytes.count == other.bytes.count && crc32c == other.crc32c && firstDifferenceByWords(from: other) == nil
  }

  private func firstDifferenceByWords(from other: Buffer) -> Int? {
    let count = bytes.count / 8
    let mine = bytes.bindMemory(to: UInt64.self)
    let theirs = other.bytes.bindMemory(to: UInt64.self)
    var index = 0
    while index < count {
      if mine[index] != theirs[index] { return index * 8 }
      index += 1
    }
    return nil
  }

  var crc32c: UInt32 { nvmeof_crc32c_extend(0, bytes.baseAddress, bytes.count) }

  /// The CRC-32 (ISO 3309) of it, after bytes whose CRC-32 is `start`.
  func crc32(after start: UInt32 = 0) -> UInt32 {
    var crc = ~start
    Self.table.withUnsafeBufferPointer { table in
      var index = 0
      while index < bytes.count {
        crc = table[Int(UInt8(truncatingIfNeeded: crc) ^ bytes[index])] ^ crc >> 8
        index += 1
      }
    }
    return ~crc
  }

  private static let table: [UInt32] = (0..<256).map { value in
    (0..<8).reduce(UInt32(value)) { crc, _ in crc & 1 == 1 ? crc >> 1 ^ 0xEDB8_8320 : crc >> 1 }
  }
}
