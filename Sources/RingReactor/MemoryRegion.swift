import Glibc

/// A private mapping of zeroes whose pages come into being as they are written: what is in memory instead of on a disk.
///
/// It may be larger than what is in use: address space is cheap, and a namespace can grow in place.
package final class MemoryRegion: @unchecked Sendable {
  package let base: UnsafeMutableRawPointer
  package let byteCount: Int

  private static let pageByteCount = sysconf(Int32(_SC_PAGESIZE))
  /// From so many bytes on pages are given back. Below, a store takes less time than the page faults that follow.
  private static let leastReleasedByteCount = 256 << 10

  package init(byteCount: Int, isReadOnly: Bool = false) throws(RingError) {
    let pointer = mmap(
      nil, byteCount, isReadOnly ? PROT_READ : PROT_READ | PROT_WRITE,
      MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0)
    guard let pointer, pointer != MAP_FAILED else {
      throw .systemCall(name: "mmap of \(byteCount) bytes", errno: errno)
    }
    base = pointer
    self.byteCount = byteCount
  }

  deinit { munmap(base, byteCount) }

  /// Makes the first bytes resident. Best effort: a kernel before 5.14 does it as they are written.
  package func populate(byteCount: Int) {
    let page = Self.pageByteCount
    // MADV_POPULATE_WRITE
    _ = madvise(base, min((byteCount + page - 1) / page * page, self.byteCount), 23)
  }

  /// Makes a range read as zeroes, giving whole pages of a large one back to the system.
  package func zero(offset: Int, byteCount: Int) {
    let page = Self.pageByteCount
    let end = offset + byteCount
    let firstPage = (offset + page - 1) / page * page
    let lastPage = end / page * page
    guard byteCount >= Self.leastReleasedByteCount,
      madvise(base + firstPage, lastPage - firstPage, MADV_DONTNEED) == 0
    else {
      memset(base + offset, 0, byteCount)
      return
    }
    memset(base + offset, 0, firstPage - offset)
    memset(base + lastPage, 0, end - lastPage)
  }
}
