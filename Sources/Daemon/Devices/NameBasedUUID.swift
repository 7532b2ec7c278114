internal import BlockDevice

/// UUIDs of version 5 (RFC 9562, section 5.5) for namespaces that have no identifier of their own: the same ones that
/// upstream's option `generate_uuids` makes.
enum NameBasedUUID {
  /// The name space that upstream has chosen for them.
  private static let nameSpace = Identifier128(high: 0xedae_d2de_24bc_4b07, low: 0xb559_f47e_cbe7_30fd)
  private static let serialNumberByteCount = 20

  static func make(serialNumber: String, namespaceIdentifier: UInt32) -> Identifier128 {
    // The serial number as it stands in Identify Controller: padded with blanks.
    var name = Array(serialNumber.utf8.prefix(serialNumberByteCount))
    name += Array(repeating: UInt8(ascii: " "), count: serialNumberByteCount - name.count)
    name += Array(String(namespaceIdentifier).utf8)
    let digest = sha1(nameSpace.bytes + name)
    var identifier = Identifier128()
    identifier.high = UInt64(digest[0]) << 32 | UInt64(digest[1] & 0xFFFF_0FFF | 0x5000)
    identifier.low = UInt64(digest[2] & 0x3FFF_FFFF | 0x8000_0000) << 32 | UInt64(digest[3])
    return identifier
  }

  /// SHA-1 (FIPS 180-4, section 6.1), as five words.
  static func sha1(_ message: [UInt8]) -> [UInt32] {
    var state: [UInt32] = [0x6745_2301, 0xefcd_ab89, 0x98ba_dcfe, 0x1032_5476, 0xc3d2_e1f0]
    var bytes = message + [0x80]
    while bytes.count % 64 != 56 { bytes.append(0) }
    bytes += (0..<8).map { UInt8(truncatingIfNeeded: UInt64(message.count) * 8 >> UInt64(56 - 8 * $0)) }
    for block in stride(from: 0, to: bytes.count, by: 64) {
      var words = (0..<16).map { word in
        (0..<4).reduce(UInt32(0)) { $0 << 8 | UInt32(bytes[block + 4 * word + $1]) }
      }
      for index in 16..<80 {
        words.append(rotate(words[index - 3] ^ words[index - 8] ^ words[index - 14] ^ words[index - 16], 1))
      }
      var (a, b, c, d, e) = (state[0], state[1], state[2], state[3], state[4])
      for index in 0..<80 {
        let (function, constant): (UInt32, UInt32) =
          switch index / 20 {
          case 0: (b & c | ~b & d, 0x5a82_7999)
          case 1: (b ^ c ^ d, 0x6ed9_eba1)
          case 2: (b & c | b & d | c & d, 0x8f1b_bcdc)
          default: (b ^ c ^ d, 0xca62_c1d6)
          }
        let next = rotate(a, 5) &+ function &+ e &+ constant &+ words[index]
        (a, b, c, d, e) = (next, a, rotate(b, 30), c, d)
      }
      for (index, word) in [a, b, c, d, e].enumerated() { state[index] &+= word }
    }
    return state
  }

  private static func rotate(_ value: UInt32, _ count: UInt32) -> UInt32 { value << count | value >> (32 - count) }
}
