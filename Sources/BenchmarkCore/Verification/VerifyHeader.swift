/// What stands at the start of each unit that `verify` writes. Little-endian:
///
///     0  magic           4  method          8  length of the unit
///    12  generation     16  offset on the device
///    24  identity of the job in its run
///    32  checksum of the data behind the header, up to 32 bytes
///    64  reserved, zero                     76  CRC-32C of bytes 0..<76
struct VerifyHeader: Equatable, Sendable {
  static let byteCount = 80
  static let magic: UInt32 = 0x5642_564e
  static let checksumOffset = 32
  static let checksumByteCount = 32

  var method: UInt32
  var length: UInt32
  /// How often the unit had been written by its job, counting from one: an older one is a lost write.
  var generation: UInt32
  var offset: UInt64
  var identity: UInt64

  /// Writes everything but the checksum of the data, which is in place already.
  func store(into bytes: UnsafeMutableRawBufferPointer) {
    bytes.storeBytes(of: Self.magic.littleEndian, toByteOffset: 0, as: UInt32.self)
    bytes.storeBytes(of: method.littleEndian, toByteOffset: 4, as: UInt32.self)
    bytes.storeBytes(of: length.littleEndian, toByteOffset: 8, as: UInt32.self)
    bytes.storeBytes(of: generation.littleEndian, toByteOffset: 12, as: UInt32.self)
    bytes.storeBytes(of: offset.littleEndian, toByteOffset: 16, as: UInt64.self)
    bytes.storeBytes(of: identity.littleEndian, toByteOffset: 24, as: UInt64.self)
    for index in 64..<76 { bytes[index] = 0 }
    let crc = CyclicRedundancyCheck.crc32c(UnsafeRawBufferPointer(rebasing: bytes[0..<76]))
    bytes.storeBytes(of: crc.littleEndian, toByteOffset: 76, as: UInt32.self)
  }

  /// nil when there is no intact header.
  init?(from bytes: UnsafeRawBufferPointer) {
    func word(_ offset: Int) -> UInt32 {
      UInt32(littleEndian: bytes.loadUnaligned(fromByteOffset: offset, as: UInt32.self))
    }
    func long(_ offset: Int) -> UInt64 {
      UInt64(littleEndian: bytes.loadUnaligned(fromByteOffset: offset, as: UInt64.self))
    }
    guard bytes.count >= Self.byteCount, word(0) == Self.magic,
      word(76) == CyclicRedundancyCheck.crc32c(UnsafeRawBufferPointer(rebasing: bytes[0..<76]))
    else { return nil }
    method = word(4)
    length = word(8)
    generation = word(12)
    offset = long(16)
    identity = long(24)
  }

  init(method: UInt32, length: UInt32, generation: UInt32, offset: UInt64, identity: UInt64) {
    self.method = method
    self.length = length
    self.generation = generation
    self.offset = offset
    self.identity = identity
  }
}
