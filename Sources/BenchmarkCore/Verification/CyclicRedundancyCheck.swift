internal import CCRC32C

/// CRC-32C (Castagnoli) with the processor's instructions; CRC-32 (ISO-HDLC) and CRC-16 (ARC) by tables.
enum CyclicRedundancyCheck {
  static func crc32c(_ bytes: UnsafeRawBufferPointer) -> UInt32 {
    nvmeof_crc32c_extend(0, bytes.baseAddress, bytes.count)
  }

  /// Slicing by eight.
  private static let crc32Table: [UInt32] = {
    var table = [UInt32](repeating: 0, count: 8 * 256)
    for byte in 0..<256 {
      var value = UInt32(byte)
      for _ in 0..<8 { value = value & 1 == 0 ? value >> 1 : (value >> 1) ^ 0xedb8_8320 }
      table[byte] = value
    }
    for slice in 1..<8 {
      for byte in 0..<256 {
        let previous = table[(slice - 1) * 256 + byte]
        table[slice * 256 + byte] = table[Int(previous & 0xff)] ^ (previous >> 8)
      }
    }
    return table
  }()

  static func crc32(_ bytes: UnsafeRawBufferPointer) -> UInt32 {
    crc32Table.withUnsafeBufferPointer { table in
      var crc = UInt32.max
      var index = 0
      while index + 8 <= bytes.count {
        let word = UInt64(littleEndian: bytes.loadUnaligned(fromByteOffset: index, as: UInt64.self)) ^ UInt64(crc)
        crc =
          table[1792 + Int(word & 0xff)] ^ table[1536 + Int((word >> 8) & 0xff)]
          ^ table[1280 + Int((word >> 16) & 0xff)] ^ table[1024 + Int((word >> 24) & 0xff)]
          ^ table[768 + Int((word >> 32) & 0xff)] ^ table[512 + Int((word >> 40) & 0xff)]
          ^ table[256 + Int((word >> 48) & 0xff)] ^ table[Int(word >> 56)]
        index += 8
      }
      while index < bytes.count {
        crc = table[Int((crc ^ UInt32(bytes[index])) & 0xff)] ^ (crc >> 8)
        index += 1
      }
      return ~crc
    }
  }

  /// CRC-16/ARC: reflected polynomial 0xA001, initial value 0.
  static func crc16(_ bytes: UnsafeRawBufferPointer) -> UInt16 {
    crc16Table.withUnsafeBufferPointer { table in
      var crc: UInt16 = 0
      for byte in bytes { crc = table[Int((crc ^ UInt16(byte)) & 0xff)] ^ (crc >> 8) }
      return crc
    }
  }

  private static let crc16Table: [UInt16] = (0..<256).map { byte in
    var value = UInt16(byte)
    for _ in 0..<8 { value = value & 1 == 0 ? value >> 1 : (value >> 1) ^ 0xa001 }
    return value
  }
}
