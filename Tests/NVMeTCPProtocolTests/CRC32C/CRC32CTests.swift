import CCRC32C
import TestSupport
import Testing

@Suite("CRC32C")
struct CRC32CTests {
  static let ways = (0...3).map { nvmeof_crc32c_way(rawValue: $0)! }

  /// RFC 3720, appendix B.4, and the check value every CRC catalogue gives for "123456789".
  static let known: [(bytes: [UInt8], digest: UInt32)] = [
    ([], 0),
    (Array("123456789".utf8), 0xE306_9283),
    ([UInt8](repeating: 0, count: 32), 0x8A91_36AA),
    ([UInt8](repeating: 0xFF, count: 32), 0x62A8_AB43),
    ([UInt8](0..<32), 0x46DD_794E),
    ([UInt8]((0..<32).reversed()), 0x113F_DB5C),
    (
      hexadecimal(
        """
        01c00000 00000000 00000000 00000000 14000000 00000400 00000014 00000018
        28000000 00000000 02000000 00000000
        """), 0xD996_3A56
    ),
  ]

  @Test("known vectors, every way of this processor")
  func knownVectors() {
    var tested = 0
    for way in Self.ways where nvmeof_crc32c_is_supported(way) != 0 {
      tested += 1
      for vector in Self.known {
        vector.bytes.withUnsafeBytes {
          #expect(nvmeof_crc32c_extend_by(way, 0, $0.baseAddress, $0.count) == vector.digest)
        }
      }
    }
    #expect(tested >= 1)
    #expect(nvmeof_crc32c_is_supported(nvmeof_crc32c_chosen_way()) != 0)
  }

  @Test("all ways agree at every length, offset and starting value, and copy what they digest")
  func waysAgree() {
    var generator = SplitMix64(seed: 1)
    let source = (0..<20_000).map { _ in UInt8.random(in: .min ... .max, using: &generator) }
    var lengths = Array(0...700)
    lengths += [1008, 1023, 1024, 1279, 4079, 4080, 4081, 4095, 4096, 4100, 8160, 8192, 12_345, 16_384, 19_990]
    var target = [UInt8](repeating: 0, count: 20_016)
    source.withUnsafeBytes { bytes in
      target.withUnsafeMutableBytes { target in
        for length in lengths {
          let offset = length % 9
          let start = UInt32(truncatingIfNeeded: generator.next())
          let data = bytes.baseAddress! + offset
          let expected = nvmeof_crc32c_extend_portable(start, data, length)
          #expect(nvmeof_crc32c_extend(start, data, length) == expected)
          for way in Self.ways {
            #expect(nvmeof_crc32c_extend_by(way, start, data, length) == expected, "way \(way) length \(length)")
            let destination = target.baseAddress! + (length % 7)
            target.initializeMemory(as: UInt8.self, repeating: 0x5A)
            let digest = nvmeof_crc32c_copy_extend_by(way, start, destination, data, length)
            #expect(digest == expected, "copy, way \(way) length \(length)")
            let copied = UnsafeRawBufferPointer(start: destination, count: length)
            #expect(copied.elementsEqual(UnsafeRawBufferPointer(start: data, count: length)))
            // Nothing written before or behind.
            #expect(destination == target.baseAddress! || target[(length % 7) - 1] == 0x5A)
            #expect(target[(length % 7) + length] == 0x5A)
          }
        }
      }
    }
  }

  @Test("digests chain at any split")
  func chaining() {
    var generator = SplitMix64(seed: 2)
    let bytes = (0..<6000).map { _ in UInt8.random(in: .min ... .max, using: &generator) }
    bytes.withUnsafeBytes { bytes in
      let whole = nvmeof_crc32c_extend(0, bytes.baseAddress, bytes.count)
      for _ in 0..<200 {
        var digest: UInt32 = 0
        var at = 0
        while at < bytes.count {
          let piece = min(Int.random(in: 1...2000, using: &generator), bytes.count - at)
          digest = nvmeof_crc32c_extend(digest, bytes.baseAddress! + at, piece)
          at += piece
        }
        #expect(digest == whole)
      }
    }
  }
}
