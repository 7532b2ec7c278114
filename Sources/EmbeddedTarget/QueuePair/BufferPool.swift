/// Buffers to use again, by size class: 4 KiB × 2^class.
struct BufferPool: ~Copyable {
  private static let maximumByteCount = 8 * 1024 * 1024
  private static let largestClass = 13

  private var buffers: [[UnsafeMutableRawPointer]] = Array(repeating: [], count: Self.largestClass + 1)
  private var byteCount = 0

  deinit {
    for list in buffers { for buffer in list { buffer.deallocate() } }
  }

  static func byteCount(ofClass sizeClass: Int8) -> Int { 4096 << Int(sizeClass) }

  /// A buffer of at least `byteCount` bytes, and its size class. At most 32 MiB: a Compare of the largest transfer, 16 MiB, with
  /// what a file has there.
  mutating func take(byteCount wanted: Int) -> (buffer: UnsafeMutableRawPointer, sizeClass: Int8) {
    var sizeClass = 0
    while 4096 << sizeClass < wanted && sizeClass < Self.largestClass { sizeClass += 1 }
    precondition(4096 << sizeClass >= wanted, "no command needs more than 32 MiB")
    if let pooled = buffers[sizeClass].popLast() {
      byteCount -= 4096 << sizeClass
      return (pooled, Int8(sizeClass))
    }
    return (.allocate(byteCount: 4096 << sizeClass, alignment: 4096), Int8(sizeClass))
  }

  mutating func giveBack(_ buffer: UnsafeMutableRawPointer, _ sizeClass: Int8) {
    let bytes = 4096 << Int(sizeClass)
    if byteCount + bytes <= Self.maximumByteCount {
      byteCount += bytes
      buffers[Int(sizeClass)].append(buffer)
    } else {
      buffer.deallocate()
    }
  }
}
