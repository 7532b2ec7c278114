/// Content for buffers.
enum BufferFiller {
  /// What a write holds that is not to be verified, in fio's order.
  static func fill(_ bytes: UnsafeMutableRawBufferPointer, _ options: JobOptions, seed: UInt64) {
    if !options.bufferPattern.isEmpty {
      fill(bytes, pattern: options.bufferPattern)
    } else if options.zeroBuffers {
      bytes.initializeMemory(as: UInt8.self, repeating: 0)
    } else {
      fillRandom(bytes, seed: seed)
    }
  }

  /// Bytes that do not compress, eight at a time.
  static func fillRandom(_ bytes: UnsafeMutableRawBufferPointer, seed: UInt64) {
    var state = seed | 1
    var index = 0
    while index + 8 <= bytes.count {
      // xorshift64*: one multiplication for eight bytes.
      state ^= state >> 12
      state ^= state << 25
      state ^= state >> 27
      bytes.storeBytes(of: state &* 0x2545_f491_4f6c_dd1d, toByteOffset: index, as: UInt64.self)
      index += 8
    }
    while index < bytes.count {
      bytes[index] = UInt8(truncatingIfNeeded: state >> UInt64(8 * (index & 7)))
      index += 1
    }
  }

  /// `pattern`, which is not empty, again and again from the first byte.
  static func fill(_ bytes: UnsafeMutableRawBufferPointer, pattern: [UInt8]) {
    pattern.withUnsafeBytes { pattern in
      var index = 0
      while index < bytes.count {
        let length = min(pattern.count, bytes.count - index)
        UnsafeMutableRawBufferPointer(rebasing: bytes[index..<index + length])
          .copyMemory(from: UnsafeRawBufferPointer(rebasing: pattern[0..<length]))
        index += length
      }
    }
  }
}
