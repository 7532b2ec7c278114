import Glibc

/// A file descriptor that closes itself.
struct FileDescriptor: ~Copyable {
  let rawValue: Int32

  init(_ rawValue: Int32) {
    self.rawValue = rawValue
  }

  deinit {
    close(rawValue)
  }

  /// A file without a name: nothing is left behind when its owners are gone.
  static func unnamedFile() throws(NvmetGuestError) -> FileDescriptor {
    var template = Array("/tmp/nvmet-guest.XXXXXX".utf8CString)
    let descriptor = try SystemCall.check("mkostemp in /tmp") {
      let descriptor = mkstemp(&template)
      if descriptor >= 0 { unlink(template) }
      return descriptor
    }
    _ = fcntl(descriptor, F_SETFD, FD_CLOEXEC)
    return FileDescriptor(descriptor)
  }

  /// The last bytes of a file, at most `limit` of them, as text.
  borrowing func tail(limit: Int = 8192) -> String {
    let end = Int(lseek(rawValue, 0, SEEK_END))
    guard end > 0 else { return "" }
    let start = max(0, end - limit)
    var bytes = [UInt8](repeating: 0, count: end - start)
    let count = pread(rawValue, &bytes, bytes.count, off_t(start))
    return String(decoding: bytes.prefix(max(0, count)), as: UTF8.self)
  }

  /// Waits until the descriptor is ready for `events` (as `poll` has them).
  /// - Returns: false when `deadline` passed first.
  borrowing func wait(for events: Int32, until deadline: ContinuousClock.Instant) throws(NvmetGuestError) -> Bool {
    while true {
      let left = deadline - .now
      guard left > .zero else { return false }
      let milliseconds = left.components.seconds * 1000 + left.components.attoseconds / 1_000_000_000_000_000 + 1
      var entry = pollfd(fd: rawValue, events: Int16(events), revents: 0)
      let count = poll(&entry, 1, Int32(clamping: milliseconds))
      if count > 0 { return true }
      if count < 0, errno != EINTR { throw .system("poll", errorNumber: errno) }
    }
  }
}
