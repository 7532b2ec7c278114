/// Fills units before they are written and checks them after they were read. Allocates nothing after `init`.
struct BlockVerifier {
  let method: VerifyMethod
  let unit: Int
  let identity: UInt64
  private let pattern: [UInt8]
  private let methodNumber: UInt32

  init(method: VerifyMethod, unit: UInt32, identity: UInt64, pattern: [UInt8]) {
    self.method = method
    self.unit = Int(unit)
    self.identity = identity
    self.pattern = pattern
    methodNumber = UInt32(VerifyMethod.allCases.firstIndex(of: method) ?? 0) + 1
  }

  /// Fills one unit. `offset` is where on the device it goes.
  func fill(_ bytes: UnsafeMutableRawBufferPointer, offset: UInt64, generation: UInt32) {
    if !pattern.isEmpty {
      BufferFiller.fill(bytes, pattern: pattern)
    } else {
      var state = identity ^ offset &* 0x9e37_79b9_7f4a_7c15 ^ UInt64(generation) << 32
      BufferFiller.fillRandom(bytes, seed: RandomGenerator.splitMix(&state))
    }
    guard method.hasHeader else { return }
    let checksum = UnsafeMutableRawBufferPointer(
      rebasing: bytes[VerifyHeader.checksumOffset..<VerifyHeader.checksumOffset + VerifyHeader.checksumByteCount])
    compute(UnsafeRawBufferPointer(rebasing: bytes[VerifyHeader.byteCount...]), into: checksum)
    VerifyHeader(
      method: methodNumber, length: UInt32(bytes.count), generation: generation, offset: offset, identity: identity
    ).store(into: bytes)
  }

  /// Checks one unit. `generation` nil: any generation and any writer, as for data of an earlier run.
  func check(_ bytes: UnsafeRawBufferPointer, offset: UInt64, generation: UInt32?) -> VerifyFailure? {
    func failure(_ kind: VerifyFailure.Kind) -> VerifyFailure {
      VerifyFailure(kind: kind, offset: offset, byteCount: UInt32(bytes.count))
    }
    switch method {
    case .null:
      return nil
    case .pattern:
      var index = 0
      for place in 0..<bytes.count {
        if bytes[place] != pattern[index] {
          return failure(.pattern(index: place, expected: pattern[index], found: bytes[place]))
        }
        index = index + 1 == pattern.count ? 0 : index + 1
      }
      return nil
    default:
      break
    }
    guard let header = VerifyHeader(from: bytes) else {
      return failure(.noHeader(firstBytes: UInt64(bigEndian: bytes.loadUnaligned(as: UInt64.self))))
    }
    if header.offset != offset || header.length != UInt32(bytes.count) {
      return failure(.wrongPlace(foundOffset: header.offset, foundLength: header.length))
    }
    if header.method != methodNumber { return failure(.otherMethod) }
    if let generation {
      if header.identity != identity { return failure(.otherWriter) }
      if header.generation != generation {
        return failure(.stale(expectedGeneration: generation, foundGeneration: header.generation))
      }
    }
    return withUnsafeTemporaryAllocation(byteCount: VerifyHeader.checksumByteCount, alignment: 8) { computed in
      compute(UnsafeRawBufferPointer(rebasing: bytes[VerifyHeader.byteCount...]), into: computed)
      for index in stride(from: 0, to: VerifyHeader.checksumByteCount, by: 8) {
        let stored = bytes.loadUnaligned(fromByteOffset: VerifyHeader.checksumOffset + index, as: UInt64.self)
        let actual = computed.load(fromByteOffset: index, as: UInt64.self)
        if stored != actual {
          return failure(.checksum(method: method, expected: stored, found: actual))
        }
      }
      return nil
    }
  }

  private func compute(_ data: UnsafeRawBufferPointer, into checksum: UnsafeMutableRawBufferPointer) {
    checksum.initializeMemory(as: UInt8.self, repeating: 0)
    func store(_ value: UInt32) { checksum.storeBytes(of: value.littleEndian, as: UInt32.self) }
    switch method {
    case .crc32c: store(CyclicRedundancyCheck.crc32c(data))
    case .crc32: store(CyclicRedundancyCheck.crc32(data))
    case .crc16: store(UInt32(CyclicRedundancyCheck.crc16(data)))
    case .xxhash: store(XXHash32.hash(data))
    case .md5: MessageDigest.md5(data, into: checksum)
    case .sha1: MessageDigest.sha1(data, into: checksum)
    case .sha256: MessageDigest.sha256(data, into: checksum)
    case .meta, .pattern, .null: break
    }
  }
}
