import BlockDevice
import Glibc

/// A local file or standard input, read from its beginning to its end.
struct LocalFile: ~Copyable {
  private let descriptor: Int32
  private let name: String

  /// - Parameter path: "-" is standard input.
  init(reading path: String) throws(ToolError) {
    name = path == "-" ? "standard input" : path
    descriptor = path == "-" ? dup(STDIN_FILENO) : open(path, O_RDONLY | O_CLOEXEC)
    guard descriptor >= 0 else { throw .local("\(name) could not be opened: \(errorText(errno))") }
  }

  deinit { close(descriptor) }

  /// All bytes up to the end, or up to `limit`.
  func read(limit: Int) throws(ToolError) -> [UInt8] {
    var bytes: [UInt8] = []
    while bytes.count < limit {
      let wanted = min(1 << 20, limit - bytes.count)
      var code: Int32 = 0
      let piece = [UInt8](unsafeUninitializedCapacity: wanted) { buffer, count in
        let result = Glibc.read(descriptor, buffer.baseAddress!, wanted)
        code = result < 0 ? errno : 0
        count = max(0, result)
      }
      if code == EINTR { continue }
      if code == EAGAIN {
        var waiting = pollfd(fd: descriptor, events: Int16(POLLIN), revents: 0)
        poll(&waiting, 1, -1)
        continue
      }
      guard code == 0 else { throw .local("reading of \(name) failed: \(errorText(code))") }
      if piece.isEmpty { break }
      bytes += piece
    }
    return bytes
  }
}
