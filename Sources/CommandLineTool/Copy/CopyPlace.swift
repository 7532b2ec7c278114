import BlockDevice
import Glibc

/// What stands on the command line for one end of a copy.
enum CopyPlace: Hashable, Sendable {
  case standardStream
  case device(TargetIdentifier)
  case file(path: String)

  /// - Throws: ``ToolError`` of kind usage for something that is meant as a target, but is none.
  init(_ text: String) throws(ToolError) {
    if text == "-" {
      self = .standardStream
      return
    }
    if let target = try TargetIdentifier.ofPlace(text) {
      self = .device(target)
      return
    }
    if text.isEmpty { throw .usage("a file's name is empty") }
    self = .file(path: text)
  }

  /// Opens it to read from.
  func openSource() throws(ToolError) -> any CopyEndpoint {
    switch self {
    case .standardStream:
      var status = stat()
      // A redirected file is as good as a named one, as long as nobody has read of it.
      if fstat(STDIN_FILENO, &status) == 0, status.st_mode & S_IFMT == S_IFREG, lseek(STDIN_FILENO, 0, SEEK_CUR) == 0 {
        return FileEndpoint(name: "standard input", descriptor: dup(STDIN_FILENO), isRegular: true)
      }
      return StreamEndpoint(name: "standard input", descriptor: STDIN_FILENO, ownsDescriptor: false)
    case .file(let path):
      return try Self.open(path, flags: O_RDONLY)
    case .device:
      preconditionFailure("devices are opened by their session")
    }
  }

  /// Opens it to write to, and, where that is asked for, to read back.
  ///
  /// - Parameter isResumed: a file has to be there, with what has been done before.
  func openDestination(isReadBack: Bool, isWritten: Bool, isResumed: Bool) throws(ToolError) -> any CopyEndpoint {
    switch self {
    case .standardStream:
      return StreamEndpoint(name: "standard output", descriptor: STDOUT_FILENO, ownsDescriptor: false)
    case .file(let path):
      let access = isWritten ? isReadBack ? O_RDWR : O_WRONLY : O_RDONLY
      return try Self.open(path, flags: isWritten && !isResumed ? access | O_CREAT : access)
    case .device:
      preconditionFailure("devices are opened by their session")
    }
  }

  private static func open(_ path: String, flags: Int32) throws(ToolError) -> any CopyEndpoint {
    let descriptor = Glibc.open(path, flags | O_CLOEXEC, 0o644)
    guard descriptor >= 0 else { throw .local("\(path) could not be opened: \(errorText(errno))") }
    var status = stat()
    guard fstat(descriptor, &status) == 0 else {
      let code = errno
      close(descriptor)
      throw .local("\(path) could not be looked at: \(errorText(code))")
    }
    switch status.st_mode & S_IFMT {
    case S_IFREG: return FileEndpoint(name: path, descriptor: descriptor, isRegular: true)
    case S_IFBLK: return FileEndpoint(name: path, descriptor: descriptor, isRegular: false)
    case S_IFDIR:
      close(descriptor)
      throw .local("\(path) is a directory")
    default: return StreamEndpoint(name: path, descriptor: descriptor)
    }
  }
}
