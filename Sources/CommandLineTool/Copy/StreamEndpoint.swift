import BlockDevice
import Glibc
import Synchronization

/// A pipe, terminal, socket or character device as an end of a copy: bytes in order, once.
final class StreamEndpoint: CopyEndpoint {
  let name: String
  private let descriptor: Int32
  private let ownsDescriptor: Bool
  /// Bytes read so far.
  private let position = Mutex<UInt64>(0)
  /// Ends waits for bytes that may never come; the pipe's end wakes who waits, so that nobody has to look now and then.
  private let isStopped = Atomic<Bool>(false)
  private let stopPipe: (read: Int32, write: Int32)

  var byteCount: UInt64? { nil }
  var capacity: UInt64? { nil }
  var alignment: Int { 1 }
  var isSequential: Bool { true }

  init(name: String, descriptor: Int32, ownsDescriptor: Bool = true) {
    self.name = name
    self.descriptor = descriptor
    self.ownsDescriptor = ownsDescriptor
    var ends: [Int32] = [-1, -1]
    // Without a pipe (no descriptors left) only the wait for bytes that never come is not ended.
    if pipe(&ends) != 0 { ends = [-1, -1] }
    for end in ends where end >= 0 { _ = fcntl(end, F_SETFD, FD_CLOEXEC) }
    stopPipe = (ends[0], ends[1])
  }

  deinit {
    if ownsDescriptor { close(descriptor) }
    if stopPipe.read >= 0 {
      close(stopPipe.read)
      close(stopPipe.write)
    }
  }

  /// Lets a read that waits for bytes return as at the end.
  func stop() {
    isStopped.store(true, ordering: .releasing)
    var byte: UInt8 = 0
    _ = Glibc.write(stopPipe.write, &byte, 1)
  }

  /// Bytes in front of `offset` that nobody has read yet are dropped: a copy that is resumed gets the stream from its
  /// beginning. The caller keeps the order.
  func read(at offset: UInt64, into buffer: UnsafeMutableRawBufferPointer) async throws(CopyFault) -> Int {
    var skipped = position.withLock { $0 }
    while skipped < offset {
      let wanted = Int(min(UInt64(buffer.count), offset - skipped))
      let count = try await fill(UnsafeMutableRawBufferPointer(rebasing: buffer[..<wanted]), at: skipped)
      guard count > 0 else {
        throw CopyFault(
          .file, "\(name) ended after \(skipped) bytes, before byte \(offset) where the copy begins", isFatal: true)
      }
      skipped += UInt64(count)
    }
    return try await fill(buffer, at: offset)
  }

  /// - Returns: how many bytes; fewer than asked for at the end alone.
  private func fill(_ buffer: UnsafeMutableRawBufferPointer, at offset: UInt64) async throws(CopyFault) -> Int {
    nonisolated(unsafe) let buffer = buffer
    let result = await BlockingCalls.run { [self] in
      var done = 0
      while done < buffer.count {
        var waiting = [
          pollfd(fd: descriptor, events: Int16(POLLIN), revents: 0),
          pollfd(fd: stopPipe.read, events: Int16(POLLIN), revents: 0),
        ]
        poll(&waiting, 2, -1)
        if isStopped.load(ordering: .acquiring) { return -Int(EINTR) }
        if waiting[0].revents == 0 { continue }
        let count = Glibc.read(descriptor, buffer.baseAddress! + done, buffer.count - done)
        if count == 0 { break }
        if count > 0 { done += count } else if errno != EINTR && errno != EAGAIN { return -Int(errno) }
      }
      return done
    }
    guard result >= 0 else {
      if isStopped.load(ordering: .acquiring) { throw .stopped }
      throw CopyFault(
        .file, "reading of \(name) at byte \(offset) failed: \(errorText(Int32(-result)))", isFatal: true)
    }
    position.withLock { $0 = offset + UInt64(result) }
    return result
  }

  func write(at offset: UInt64, from buffer: UnsafeRawBufferPointer) async throws(CopyFault) {
    nonisolated(unsafe) let buffer = buffer
    let descriptor = descriptor
    let code = await BlockingCalls.run { () -> Int32 in
      var done = 0
      while done < buffer.count {
        let count = Glibc.write(descriptor, buffer.baseAddress! + done, buffer.count - done)
        if count >= 0 {
          done += count
        } else if errno == EAGAIN {
          var waiting = pollfd(fd: descriptor, events: Int16(POLLOUT), revents: 0)
          poll(&waiting, 1, 100)
        } else if errno != EINTR {
          return errno
        }
      }
      return 0
    }
    guard code == 0 else {
      throw CopyFault(.file, "writing to \(name) at byte \(offset) failed: \(errorText(code))", isFatal: true)
    }
  }

  func writeZeroes(at offset: UInt64, byteCount: Int) async throws(CopyFault) {
    let zeroes = CopyBuffer(byteCount: byteCount)
    try await write(at: offset, from: UnsafeRawBufferPointer(zeroes.bytes))
  }

  func flush() async throws(CopyFault) {}
}
