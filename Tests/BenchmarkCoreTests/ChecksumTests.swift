import Testing

@testable import BenchmarkCore

@Suite struct ChecksumTests {
  private func hexadecimal(_ bytes: [UInt8]) -> String {
    bytes.map { String($0 >> 4, radix: 16) + String($0 & 15, radix: 16) }.joined()
  }

  private func digest(
    _ text: String, _ count: Int, _ function: (UnsafeRawBufferPointer, UnsafeMutableRawBufferPointer) -> Void
  ) -> String {
    var output = [UInt8](repeating: 0, count: count)
    bytes(text).withUnsafeBytes { input in output.withUnsafeMutableBytes { function(input, $0) } }
    return hexadecimal(output)
  }

  private let check = bytes("123456789")

  /// The "check" values of the CRC catalogue, and the vectors of RFC 1321, FIPS 180-4 and xxHash's specification.
  @Test func checkValues() {
    #expect(check.withUnsafeBytes { CyclicRedundancyCheck.crc32c($0) } == 0xe306_9283)
    #expect(check.withUnsafeBytes { CyclicRedundancyCheck.crc32($0) } == 0xcbf4_3926)
    #expect(check.withUnsafeBytes { CyclicRedundancyCheck.crc16($0) } == 0xbb3d)
    #expect([UInt8]().withUnsafeBytes { XXHash32.hash($0) } == 0x02cc_5d05)
    #expect(bytes("Nobody inspects the spammish repetition").withUnsafeBytes { XXHash32.hash($0) } == 0xe2293b2f)
    #expect(digest("", 16, MessageDigest.md5) == "d41d8cd98f00b204e9800998ecf8427e")
    #expect(digest("message digest", 16, MessageDigest.md5) == "f96b697d7cb7938d525a2f31aaf161d0")
    let long = "12345678901234567890123456789012345678901234567890123456789012345678901234567890"
    #expect(digest(long, 16, MessageDigest.md5) == "57edf4a22be3c955ac49da2e2107b67a")
    #expect(digest("abc", 20, MessageDigest.sha1) == "a9993e364706816aba3e25717850c26c9cd0d89d")
    let middle = "abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq"
    #expect(digest(middle, 20, MessageDigest.sha1) == "84983e441c3bd26ebaae4aa1f95129e5e54670f1")
    #expect(
      digest("abc", 32, MessageDigest.sha256) == "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad")
    #expect(
      digest(middle, 32, MessageDigest.sha256) == "248d6a61d20638b8e5c026930c3e6039a33ce45964ff2167f6ecedd419db06c1")
  }

  @Test(arguments: VerifyMethod.allCases.filter(\.hasHeader)) func everyByteCounts(_ method: VerifyMethod) {
    let verifier = BlockVerifier(method: method, unit: 512, identity: 77, pattern: [])
    var unit = [UInt8](repeating: 0, count: 512)
    unit.withUnsafeMutableBytes { verifier.fill($0, offset: 8192, generation: 3) }
    func check() -> VerifyFailure? {
      unit.withUnsafeBytes { verifier.check($0, offset: 8192, generation: 3) }
    }
    #expect(check() == nil)
    // `meta` guards its header only.
    let guarded = method == .meta ? VerifyHeader.byteCount : 512
    let exempt = method == .meta ? VerifyHeader.checksumOffset..<64 : 0..<0
    for index in 0..<guarded where !exempt.contains(index) {
      unit[index] ^= 0x10
      #expect(check() != nil, "byte \(index)")
      unit[index] ^= 0x10
    }
    #expect(check() == nil)
  }

  @Test func failuresSayWhatHappened() throws {
    let verifier = BlockVerifier(method: .crc32c, unit: 512, identity: 77, pattern: [])
    var unit = [UInt8](repeating: 0, count: 512)
    func check(_ offset: UInt64, _ generation: UInt32?, _ verifier: BlockVerifier) -> VerifyFailure.Kind? {
      unit.withUnsafeBytes { verifier.check($0, offset: offset, generation: generation)?.kind }
    }
    #expect(check(0, nil, verifier) == .noHeader(firstBytes: 0))
    unit.withUnsafeMutableBytes { verifier.fill($0, offset: 512, generation: 3) }
    #expect(check(1024, 3, verifier) == .wrongPlace(foundOffset: 512, foundLength: 512))
    #expect(check(512, 4, verifier) == .stale(expectedGeneration: 4, foundGeneration: 3))
    #expect(check(512, nil, verifier) == nil)
    let other = BlockVerifier(method: .crc32c, unit: 512, identity: 78, pattern: [])
    #expect(check(512, 3, other) == .otherWriter)
    #expect(check(512, nil, other) == nil)
    let md5 = BlockVerifier(method: .md5, unit: 512, identity: 77, pattern: [])
    #expect(check(512, 3, md5) == .otherMethod)
    unit[511] ^= 1
    guard case .checksum(.crc32c, _, _)? = check(512, 3, verifier) else {
      Issue.record("no checksum failure")
      return
    }
  }

  @Test func patternsAreCheckedByteByByte() {
    let verifier = BlockVerifier(method: .pattern, unit: 512, identity: 0, pattern: [1, 2, 3])
    var unit = [UInt8](repeating: 0, count: 512)
    unit.withUnsafeMutableBytes { verifier.fill($0, offset: 0, generation: 1) }
    #expect(unit[..<4] == [1, 2, 3, 1])
    #expect(unit.withUnsafeBytes { verifier.check($0, offset: 0, generation: 1) } == nil)
    unit[400] = 9
    let failure = unit.withUnsafeBytes { verifier.check($0, offset: 0, generation: 1) }
    #expect(failure?.kind == .pattern(index: 400, expected: 2, found: 9))
  }
}
