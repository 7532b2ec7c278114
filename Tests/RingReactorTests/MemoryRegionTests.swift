import Glibc
import RingReactor
import Testing

/// Memory in place of a disk.
@Suite struct MemoryRegionTests {
  private func residentByteCount(_ region: MemoryRegion) -> Int {
    let page = sysconf(Int32(_SC_PAGESIZE))
    var pages = [UInt8](repeating: 0, count: region.byteCount / page)
    #expect(mincore(region.base, region.byteCount, &pages) == 0)
    return pages.count { $0 & 1 != 0 } * page
  }

  /// Around the length from which pages are given back, at any alignment.
  @Test func aRangeIsZeroedAndNothingBesideIt() throws {
    let region = try MemoryRegion(byteCount: 1 << 20)
    for byteCount in [1, 512, 4096, 65_536, (256 << 10) - 1, 256 << 10, (256 << 10) + 1, 300_000, 512 << 10] {
      for offset in [0, 1, 512, 4095, 4096, 4097, 100_000] {
        memset(region.base, 0x5A, region.byteCount)
        region.zero(offset: offset, byteCount: byteCount)
        let bytes = UnsafeRawBufferPointer(start: region.base, count: region.byteCount)
        let end = offset + byteCount
        let zeroes = [UInt8](repeating: 0, count: byteCount)
        #expect(memcmp(bytes.baseAddress! + offset, zeroes, byteCount) == 0, "\(offset), \(byteCount)")
        #expect(offset == 0 || bytes[offset - 1] == 0x5A, "\(offset), \(byteCount)")
        #expect(bytes[0] == (offset == 0 ? 0 : 0x5A))
        #expect(bytes[end] == 0x5A && bytes[bytes.count - 1] == 0x5A, "\(offset), \(byteCount)")
      }
    }
  }

  /// Storing zeroes would make all of it resident.
  @Test func zeroesTakeNoMemory() throws {
    let region = try MemoryRegion(byteCount: 1 << 34)
    region.zero(offset: 512, byteCount: (1 << 34) - 1024)
    #expect(residentByteCount(region) <= 4 << 20)
    memset(region.base, 1, 32 << 20)
    #expect(residentByteCount(region) >= 32 << 20)
    region.zero(offset: 0, byteCount: 32 << 20)
    #expect(residentByteCount(region) <= 4 << 20)
  }
}
