import BlockDevice
import Glibc
import Synchronization

/// A regular file, or a block special file of the system, as an end of a copy.
final class FileEndpoint: CopyEndpoint {
  let name: String
  let byteCount: UInt64?
  let capacity: UInt64?
  private let descriptor: Int32
  private let isRegular: Bool
  /// What lies behind has never been written: reads as zeroes already.
  private let oldByteCount: Mutex<UInt64>
  /// How long the file has to be at the end, for what at its end was not written.
  private let endOffset = Mutex<UInt64>(0)

  var alignment: Int { 1 }
  var isSequential: Bool { false }

  /// Takes a descriptor, and closes it in the end.
  init(name: String, descriptor: Int32, isRegular: Bool) {
    self.name = name
    self.descriptor = descriptor
    self.isRegular = isRegular
    // lseek, because fstat gives a block special file no size.
    let end = lseek(descriptor, 0, SEEK_END)
    let size = UInt64(max(0, end))
    oldByteCount = Mutex(size)
    byteCount = size
    capacity = isRegular ? nil : size
  }

  deinit { close(descriptor) }

  /// Empties a regular file.
  func empty() throws(CopyFault) {
    guard isRegular else { return }
    guard ftruncate(descriptor, 0) == 0 else { throw failure("emptying", 0, errno) }
    oldByteCount.withLock { $0 = 0 }
  }

  /// Whether both are the same file.
  func isSameFile(as other: FileEndpoint) -> Bool {
    var mine = stat()
    var theirs = stat()
    return fstat(descriptor, &mine) == 0 && fstat(other.descriptor, &theirs) == 0 && mine.st_dev == theirs.st_dev
      && mine.st_ino == theirs.st_ino
  }

  private func failure(_ what: String, _ offset: UInt64, _ code: Int32) -> CopyFault {
    let isFull = code == ENOSPC || code == EDQUOT || code == EFBIG
    let advice = isFull ? "; make room, then go on where it stopped" : ""
    return CopyFault(
      .file, "\(what) of \(name) at byte \(offset) failed: \(errorText(code))\(advice)", isFatal: code != EIO)
  }

  func read(at offset: UInt64, into buffer: UnsafeMutableRawBufferPointer) async throws(CopyFault) -> Int {
    // The memory is lent to the call that is waited for.
    nonisolated(unsafe) let buffer = buffer
    let descriptor = descriptor
    let result = await BlockingCalls.run {
      var done = 0
      while done < buffer.count {
        let count = pread(descriptor, buffer.baseAddress! + done, buffer.count - done, off_t(offset) + off_t(done))
        if count == 0 { break }
        if count > 0 { done += count } else if errno != EINTR { return -Int(errno) }
      }
      return done
    }
    guard result >= 0 else { throw failure("reading", offset, Int32(-result)) }
    // Behind the end there may be zeroes that `flush` makes by moving it.
    let owed = min(buffer.count, Int(clamping: endOffset.withLock { $0 - min($0, offset) }))
    guard isRegular, result < owed else { return result }
    memset(buffer.baseAddress! + result, 0, owed - result)
    return owed
  }

  func write(at offset: UInt64, from buffer: UnsafeRawBufferPointer) async throws(CopyFault) {
    nonisolated(unsafe) let buffer = buffer
    let descriptor = descriptor
    let code = await BlockingCalls.run { () -> Int32 in
      var done = 0
      while done < buffer.count {
        let count = pwrite(descriptor, buffer.baseAddress! + done, buffer.count - done, off_t(offset) + off_t(done))
        if count >= 0 { done += count } else if errno != EINTR { return errno }
      }
      return 0
    }
    guard code == 0 else { throw failure("writing", offset, code) }
  }

  func writeZeroes(at offset: UInt64, byteCount: Int) async throws(CopyFault) {
    let end = offset + UInt64(byteCount)
    endOffset.withLock { $0 = max($0, end) }
    // Beyond what there was, not writing leaves a hole.
    if isRegular, offset >= oldByteCount.withLock({ $0 }) { return }
    let zeroes = CopyBuffer(byteCount: byteCount)
    try await write(at: offset, from: UnsafeRawBufferPointer(zeroes.bytes))
  }

  func leaveOut(at offset: UInt64, byteCount: Int) async throws(CopyFault) {
    endOffset.withLock { $0 = max($0, offset + UInt64(byteCount)) }
  }

  func flush() async throws(CopyFault) {
    let descriptor = descriptor
    let end = isRegular ? endOffset.withLock { $0 } : 0
    let code = await BlockingCalls.run { () -> Int32 in
      if end > 0, lseek(descriptor, 0, SEEK_END) < off_t(end), ftruncate(descriptor, off_t(end)) != 0 { return errno }
      return fdatasync(descriptor) == 0 ? 0 : errno
    }
    guard code == 0 else { throw failure("flushing", end, code) }
  }
}
