import BlockDevice
import Glibc

/// A local file or standard stream, read or written from its beginning to its end.
struct LocalFile: ~Copyable {
  private let descriptor: Int32
  private let name: String

  /// - Parameter path: "-" is standard input.
  init(reading path: String) throws(ToolError) {
    name = path == "-" ? "standard input" : path
    descriptor = path == "-" ? dup(STDIN_FILENO) : open(path, O_RDONLY | O_CLOEXEC)
    guard descriptor >= 0 else { throw .local("\(name) could not be opened: \(errorText(errno))") }
  }

  /// - Parameter path: "-" is standard output. An existing file is emptied.
  init(writing path: String) throws(ToolError) {
    name = path == "-" ? "standard output" : path
    descriptor = path == "-" ? dup(STDOUT_FILENO) : open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0o644)
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
      guard code == 0 else { throw .local("reading of \(name) failed: \(errorText(code))") }
      if piece.isEmpty { break }
      bytes += piece
    }
    return bytes
  }

  func write(_ bytes: [UInt8]) throws(ToolError) {
    var done = 0
    while done < bytes.count {
      let count = bytes.withUnsafeBytes { Glibc.write(descriptor, $0.baseAddress! + done, $0.count - done) }
      if count >= 0 {
        done += count
      } else if errno != EINTR {
        throw .local("writing to \(name) failed: \(errorText(errno))")
      }
    }
  }
}
