internal import Glibc

/// Reads and writes a configuration file. Both wait for the disk.
enum ConfigurationFile {
  /// Where a link leads to: what is written goes there, and the link stays. Where there is nothing, `path` itself.
  static func resolved(_ path: String) -> String {
    guard let name = realpath(path, nil) else { return path }
    defer { free(name) }
    return String(cString: name)
  }

  /// - Parameter isKept: only a regular file will do, because it is replaced.
  /// - Returns: nil when there is no file.
  static func read(_ path: String, isKept: Bool) throws(ConfigurationFileError) -> ConfigurationDocument? {
    func failure(_ operation: String) -> ConfigurationFileError {
      ConfigurationFileError(path: path, reason: .system(operation: operation, errno: errno))
    }
    // A FIFO that nobody writes to would be waited for.
    let descriptor = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK)
    if descriptor < 0 && errno == ENOENT { return nil }
    guard descriptor >= 0 else { throw failure("open") }
    defer { close(descriptor) }
    var status = stat()
    if isKept, fstat(descriptor, &status) == 0, ![S_IFREG, S_IFDIR].contains(status.st_mode & S_IFMT) {
      throw ConfigurationFileError(path: path, reason: .isNoFile)
    }
    _ = fcntl(descriptor, F_SETFL, O_RDONLY)
    var bytes: [UInt8] = []
    while true {
      let start = bytes.count
      bytes.append(contentsOf: repeatElement(0, count: 65_536))
      let count = bytes.withUnsafeMutableBytes { Glibc.read(descriptor, $0.baseAddress! + start, 65_536) }
      guard count >= 0 else { throw failure("read") }
      bytes.removeLast(65_536 - count)
      if count == 0 { break }
      guard bytes.count <= ConfigurationDocument.maximumByteCount else {
        errno = EFBIG
        throw failure("read")
      }
    }
    return try ConfigurationDocument(parsing: bytes, path: path)
  }

  /// Puts a document in the file's place: whoever looks sees the old one or the new one, also after a power failure.
  static func write(_ document: ConfigurationDocument, _ path: String) throws(ConfigurationFileError) {
    func failure(_ operation: String) -> ConfigurationFileError {
      ConfigurationFileError(path: path, reason: .system(operation: operation, errno: errno))
    }
    let temporary = path + ".new"
    let descriptor = open(temporary, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0o600)
    guard descriptor >= 0 else { throw failure("open of '\(temporary)'") }
    var bytes = document.bytes[...]
    while !bytes.isEmpty {
      let count = bytes.withUnsafeBytes { Glibc.write(descriptor, $0.baseAddress, $0.count) }
      if count < 0 && errno == EINTR { continue }
      guard count > 0 else {
        let error = failure("write")
        close(descriptor)
        unlink(temporary)
        throw error
      }
      bytes = bytes.dropFirst(count)
    }
    let isSafe = fsync(descriptor) == 0
    let error = failure("fsync")
    close(descriptor)
    guard isSafe else {
      unlink(temporary)
      throw error
    }
    guard rename(temporary, path) == 0 else {
      let error = failure("rename")
      unlink(temporary)
      throw error
    }
    let folder = path.lastIndex(of: "/").map { $0 == path.startIndex ? "/" : String(path[..<$0]) } ?? "."
    let directory = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC)
    if directory >= 0 {
      fsync(directory)
      close(directory)
    }
  }
}
