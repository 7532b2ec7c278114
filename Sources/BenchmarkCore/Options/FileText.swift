internal import Glibc

/// Reads job files.
enum FileText {
  /// No job file is longer; a device given by mistake must not fill the memory.
  static let maximumByteCount = 16 << 20

  /// The whole text of a file; "-" is standard input.
  static func load(_ path: String) throws(JobFileReader.LoadFailure) -> String {
    let descriptor = path == "-" ? dup(STDIN_FILENO) : open(path, O_RDONLY | O_CLOEXEC)
    guard descriptor >= 0 else { throw JobFileReader.LoadFailure(why: String(cString: strerror(errno))) }
    defer { close(descriptor) }
    var bytes: [UInt8] = []
    var chunk = [UInt8](repeating: 0, count: 64 << 10)
    while true {
      let count = read(descriptor, &chunk, chunk.count)
      if count < 0 {
        if errno == EINTR { continue }
        throw JobFileReader.LoadFailure(why: String(cString: strerror(errno)))
      }
      if count == 0 { break }
      bytes += chunk[..<count]
      guard bytes.count <= maximumByteCount else {
        throw JobFileReader.LoadFailure(why: "it is longer than \(maximumByteCount >> 20) MiB; is it a job file?")
      }
    }
    guard let text = String(validating: bytes, as: UTF8.self) else {
      throw JobFileReader.LoadFailure(why: "it is not text")
    }
    return text
  }
}
