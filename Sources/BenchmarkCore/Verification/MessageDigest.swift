/// MD5 (RFC 1321), SHA-1 and SHA-256 (FIPS 180-4), for `verify=`. They guard against accidents, not attackers, and
/// allocate nothing.
enum MessageDigest {
  private static let md5Shifts: [UInt32] = [7, 12, 17, 22, 5, 9, 14, 20, 4, 11, 16, 23, 6, 10, 15, 21]

  /// floor(2^32 · |sin(i + 1)|), RFC 1321 section 3.4.
  private static let md5Constants: [UInt32] = [
    0xd76a_a478, 0xe8c7_b756, 0x2420_70db, 0xc1bd_ceee, 0xf57c_0faf, 0x4787_c62a, 0xa830_4613, 0xfd46_9501,
    0x6980_98d8, 0x8b44_f7af, 0xffff_5bb1, 0x895c_d7be, 0x6b90_1122, 0xfd98_7193, 0xa679_438e, 0x49b4_0821,
    0xf61e_2562, 0xc040_b340, 0x265e_5a51, 0xe9b6_c7aa, 0xd62f_105d, 0x0244_1453, 0xd8a1_e681, 0xe7d3_fbc8,
    0x21e1_cde6, 0xc337_07d6, 0xf4d5_0d87, 0x455a_14ed, 0xa9e3_e905, 0xfcef_a3f8, 0x676f_02d9, 0x8d2a_4c8a,
    0xfffa_3942, 0x8771_f681, 0x6d9d_6122, 0xfde5_380c, 0xa4be_ea44, 0x4bde_cfa9, 0xf6bb_4b60, 0xbebf_bc70,
    0x289b_7ec6, 0xeaa1_27fa, 0xd4ef_3085, 0x0488_1d05, 0xd9d4_d039, 0xe6db_99e5, 0x1fa2_7cf8, 0xc4ac_5665,
    0xf429_2244, 0x432a_ff97, 0xab94_23a7, 0xfc93_a039, 0x655b_59c3, 0x8f0c_cc92, 0xffef_f47d, 0x8584_5dd1,
    0x6fa8_7e4f, 0xfe2c_e6e0, 0xa301_4314, 0x4e08_11a1, 0xf753_7e82, 0xbd3a_f235, 0x2ad7_d2bb, 0xeb86_d391,
  ]

  /// FIPS 180-4 section 4.2.2.
  private static let sha256Constants: [UInt32] = [
    0x428a_2f98, 0x7137_4491, 0xb5c0_fbcf, 0xe9b5_dba5, 0x3956_c25b, 0x59f1_11f1, 0x923f_82a4, 0xab1c_5ed5,
    0xd807_aa98, 0x1283_5b01, 0x2431_85be, 0x550c_7dc3, 0x72be_5d74, 0x80de_b1fe, 0x9bdc_06a7, 0xc19b_f174,
    0xe49b_69c1, 0xefbe_4786, 0x0fc1_9dc6, 0x240c_a1cc, 0x2de9_2c6f, 0x4a74_84aa, 0x5cb0_a9dc, 0x76f9_88da,
    0x983e_5152, 0xa831_c66d, 0xb003_27c8, 0xbf59_7fc7, 0xc6e0_0bf3, 0xd5a7_9147, 0x06ca_6351, 0x1429_2967,
    0x27b7_0a85, 0x2e1b_2138, 0x4d2c_6dfc, 0x5338_0d13, 0x650a_7354, 0x766a_0abb, 0x81c2_c92e, 0x9272_2c85,
    0xa2bf_e8a1, 0xa81a_664b, 0xc24b_8b70, 0xc76c_51a3, 0xd192_e819, 0xd699_0624, 0xf40e_3585, 0x106a_a070,
    0x19a4_c116, 0x1e37_6c08, 0x2748_774c, 0x34b0_bcb5, 0x391c_0cb3, 0x4ed8_aa4a, 0x5b9c_ca4f, 0x682e_6ff3,
    0x748f_82ee, 0x78a5_636f, 0x84c8_7814, 0x8cc7_0208, 0x90be_fffa, 0xa450_6ceb, 0xbef9_a3f7, 0xc671_78f2,
  ]

  private static func rotateLeft(_ value: UInt32, _ count: UInt32) -> UInt32 {
    (value << count) | (value >> (32 - count))
  }

  /// Calls `block` for each 64-byte block of the padded message.
  private static func forEachBlock(
    _ bytes: UnsafeRawBufferPointer, lengthBigEndian: Bool, _ block: (UnsafeRawBufferPointer) -> Void
  ) {
    var index = 0
    while index + 64 <= bytes.count {
      block(UnsafeRawBufferPointer(rebasing: bytes[index..<index + 64]))
      index += 64
    }
    let rest = bytes.count - index
    withUnsafeTemporaryAllocation(byteCount: 128, alignment: 8) { tail in
      tail.initializeMemory(as: UInt8.self, repeating: 0)
      if rest > 0 { tail.copyMemory(from: UnsafeRawBufferPointer(rebasing: bytes[index...])) }
      tail[rest] = 0x80
      let padded = rest + 9 <= 64 ? 64 : 128
      let bits = UInt64(bytes.count) * 8
      tail.storeBytes(
        of: lengthBigEndian ? bits.bigEndian : bits.littleEndian, toByteOffset: padded - 8, as: UInt64.self)
      block(UnsafeRawBufferPointer(rebasing: tail[0..<64]))
      if padded == 128 { block(UnsafeRawBufferPointer(rebasing: tail[64..<128])) }
    }
  }

  /// Writes 16 bytes.
  static func md5(_ bytes: UnsafeRawBufferPointer, into digest: UnsafeMutableRawBufferPointer) {
    var state: (UInt32, UInt32, UInt32, UInt32) = (0x6745_2301, 0xefcd_ab89, 0x98ba_dcfe, 0x1032_5476)
    forEachBlock(bytes, lengthBigEndian: false) { block in
      var (a, b, c, d) = state
      for i in 0..<64 {
        var f: UInt32
        let g: Int
        switch i >> 4 {
        case 0:
          f = (b & c) | (~b & d)
          g = i
        case 1:
          f = (d & b) | (~d & c)
          g = (5 * i + 1) & 15
        case 2:
          f = b ^ c ^ d
          g = (3 * i + 5) & 15
        default:
          f = c ^ (b | ~d)
          g = (7 * i) & 15
        }
        f =
          f &+ a &+ md5Constants[i]
          &+ UInt32(littleEndian: block.loadUnaligned(fromByteOffset: 4 * g, as: UInt32.self))
        a = d
        d = c
        c = b
        b = b &+ rotateLeft(f, md5Shifts[(i >> 4) * 4 + (i & 3)])
      }
      state = (state.0 &+ a, state.1 &+ b, state.2 &+ c, state.3 &+ d)
    }
    digest.storeBytes(of: state.0.littleEndian, toByteOffset: 0, as: UInt32.self)
    digest.storeBytes(of: state.1.littleEndian, toByteOffset: 4, as: UInt32.self)
    digest.storeBytes(of: state.2.littleEndian, toByteOffset: 8, as: UInt32.self)
    digest.storeBytes(of: state.3.littleEndian, toByteOffset: 12, as: UInt32.self)
  }

  /// Writes 20 bytes.
  static func sha1(_ bytes: UnsafeRawBufferPointer, into digest: UnsafeMutableRawBufferPointer) {
    var h: (UInt32, UInt32, UInt32, UInt32, UInt32) =
      (0x6745_2301, 0xefcd_ab89, 0x98ba_dcfe, 0x1032_5476, 0xc3d2_e1f0)
    withUnsafeTemporaryAllocation(of: UInt32.self, capacity: 80) { w in
      forEachBlock(bytes, lengthBigEndian: true) { block in
        for i in 0..<16 {
          w[i] = UInt32(bigEndian: block.loadUnaligned(fromByteOffset: 4 * i, as: UInt32.self))
        }
        for i in 16..<80 { w[i] = rotateLeft(w[i - 3] ^ w[i - 8] ^ w[i - 14] ^ w[i - 16], 1) }
        var (a, b, c, d, e) = h
        for i in 0..<80 {
          let f: UInt32
          let k: UInt32
          switch i {
          case 0..<20: (f, k) = ((b & c) | (~b & d), 0x5a82_7999)
          case 20..<40: (f, k) = (b ^ c ^ d, 0x6ed9_eba1)
          case 40..<60: (f, k) = ((b & c) | (b & d) | (c & d), 0x8f1b_bcdc)
          default: (f, k) = (b ^ c ^ d, 0xca62_c1d6)
          }
          let next = rotateLeft(a, 5) &+ f &+ e &+ k &+ w[i]
          (e, d, c, b, a) = (d, c, rotateLeft(b, 30), a, next)
        }
        h = (h.0 &+ a, h.1 &+ b, h.2 &+ c, h.3 &+ d, h.4 &+ e)
      }
    }
    digest.storeBytes(of: h.0.bigEndian, toByteOffset: 0, as: UInt32.self)
    digest.storeBytes(of: h.1.bigEndian, toByteOffset: 4, as: UInt32.self)
    digest.storeBytes(of: h.2.bigEndian, toByteOffset: 8, as: UInt32.self)
    digest.storeBytes(of: h.3.bigEndian, toByteOffset: 12, as: UInt32.self)
    digest.storeBytes(of: h.4.bigEndian, toByteOffset: 16, as: UInt32.self)
  }

  /// Writes 32 bytes.
  static func sha256(_ bytes: UnsafeRawBufferPointer, into digest: UnsafeMutableRawBufferPointer) {
    func rotateRight(_ value: UInt32, _ count: UInt32) -> UInt32 { (value >> count) | (value << (32 - count)) }
    var state: (UInt32, UInt32, UInt32, UInt32, UInt32, UInt32, UInt32, UInt32) = (
      0x6a09_e667, 0xbb67_ae85, 0x3c6e_f372, 0xa54f_f53a, 0x510e_527f, 0x9b05_688c, 0x1f83_d9ab, 0x5be0_cd19
    )
    withUnsafeTemporaryAllocation(of: UInt32.self, capacity: 64) { w in
      forEachBlock(bytes, lengthBigEndian: true) { block in
        for i in 0..<16 {
          w[i] = UInt32(bigEndian: block.loadUnaligned(fromByteOffset: 4 * i, as: UInt32.self))
        }
        for i in 16..<64 {
          let s0 = rotateRight(w[i - 15], 7) ^ rotateRight(w[i - 15], 18) ^ (w[i - 15] >> 3)
          let s1 = rotateRight(w[i - 2], 17) ^ rotateRight(w[i - 2], 19) ^ (w[i - 2] >> 10)
          w[i] = w[i - 16] &+ s0 &+ w[i - 7] &+ s1
        }
        var (a, b, c, d, e, f, g, h) = state
        for i in 0..<64 {
          let s1 = rotateRight(e, 6) ^ rotateRight(e, 11) ^ rotateRight(e, 25)
          let choice = (e & f) ^ (~e & g)
          let t1 = h &+ s1 &+ choice &+ sha256Constants[i] &+ w[i]
          let s0 = rotateRight(a, 2) ^ rotateRight(a, 13) ^ rotateRight(a, 22)
          let t2 = s0 &+ ((a & b) ^ (a & c) ^ (b & c))
          (h, g, f, e, d, c, b, a) = (g, f, e, d &+ t1, c, b, a, t1 &+ t2)
        }
        state = (
          state.0 &+ a, state.1 &+ b, state.2 &+ c, state.3 &+ d, state.4 &+ e, state.5 &+ f, state.6 &+ g,
          state.7 &+ h
        )
      }
    }
    withUnsafeBytes(of: state) { words in
      for i in 0..<8 {
        digest.storeBytes(
          of: words.load(fromByteOffset: 4 * i, as: UInt32.self).bigEndian, toByteOffset: 4 * i, as: UInt32.self)
      }
    }
  }
}
