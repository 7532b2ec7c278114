import Glibc

/// A private mapping of zeroes whose pages come into being as they are written.
///
/// It may be larger than what is in use: address space is cheap, and a namespace can grow in place.
final class MemoryRegion {
  let base: UnsafeMutableRawPointer
  let byteCount: Int

  init(byteCount: Int, isReadOnly: Bool = false) throws(TargetError) {
    let pointer = mmap(
      nil, byteCount, isReadOnly ? PROT_READ : PROT_READ | PROT_WRITE,
      MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0)
    guard let pointer, pointer != MAP_FAILED else {
      throw TargetError("cannot map \(byteCount) bytes: \(String(cString: strerror(errno)))")
    }
    base = pointer
    self.byteCount = byteCount
  }

  deinit { munmap(base, byteCount) }

  /// Makes the first bytes resident. Best effort: a kernel before 5.14 does it as they are written.
  func populate(byteCount: Int) {
    // MADV_POPULATE_WRITE
    _ = madvise(base, min((byteCount + 4095) & ~4095, self.byteCount), 23)
  }

  /// Makes a range read as zeroes, giving whole pages back to the system.
  func zero(offset: Int, byteCount: Int) {
    let page = 4096
    let start = (offset + page - 1) / page * page
    let end = (offset + byteCount) / page * page
    // Below some pages a store is cheaper than the page faults that follow.
    guard end - start >= 64 * page else {
      memset(base + offset, 0, byteCount)
      return
    }
    memset(base + offset, 0, start - offset)
    memset(base + end, 0, offset + byteCount - end)
    if madvise(base + start, end - start, MADV_DONTNEED) != 0 { memset(base + start, 0, end - start) }
  }
}
