/// XXH32 with seed 0, from its public specification.
enum XXHash32 {
  private static let prime1: UInt32 = 0x9e37_79b1
  private static let prime2: UInt32 = 0x85eb_ca77
  private static let prime3: UInt32 = 0xc2b2_ae3d
  private static let prime4: UInt32 = 0x27d4_eb2f
  private static let prime5: UInt32 = 0x1656_67b1

  private static func rotate(_ value: UInt32, _ count: UInt32) -> UInt32 {
    (value << count) | (value >> (32 - count))
  }

  static func hash(_ bytes: UnsafeRawBufferPointer) -> UInt32 {
    func word(_ offset: Int) -> UInt32 {
      UInt32(littleEndian: bytes.loadUnaligned(fromByteOffset: offset, as: UInt32.self))
    }
    func round(_ lane: UInt32, _ input: UInt32) -> UInt32 { rotate(lane &+ input &* prime2, 13) &* prime1 }
    var index = 0
    var hash: UInt32
    if bytes.count >= 16 {
      var v1 = prime1 &+ prime2
      var v2 = prime2
      var v3: UInt32 = 0
      var v4 = 0 &- prime1
      while index + 16 <= bytes.count {
        v1 = round(v1, word(index))
        v2 = round(v2, word(index + 4))
        v3 = round(v3, word(index + 8))
        v4 = round(v4, word(index + 12))
        index += 16
      }
      hash = rotate(v1, 1) &+ rotate(v2, 7) &+ rotate(v3, 12) &+ rotate(v4, 18)
    } else {
      hash = prime5
    }
    hash = hash &+ UInt32(truncatingIfNeeded: bytes.count)
    while index + 4 <= bytes.count {
      hash = rotate(hash &+ word(index) &* prime3, 17) &* prime4
      index += 4
    }
    while index < bytes.count {
      hash = rotate(hash &+ UInt32(bytes[index]) &* prime5, 11) &* prime1
      index += 1
    }
    hash = (hash ^ (hash >> 15)) &* prime2
    hash = (hash ^ (hash >> 13)) &* prime3
    return hash ^ (hash >> 16)
  }
}
