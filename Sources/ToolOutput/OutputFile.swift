internal import Glibc

/// What a tool writes its results to: standard output, or a file that the command line names. Written in place, at once
/// and whole, so that devices, pipes and links are as good as files, and whoever calls knows whether it is there.
///
/// Tools ignore SIGPIPE: a reader that goes away shows as an error here.
public final class OutputFile: Sendable {
  public static let standardOutput = OutputFile(name: "standard output", descriptor: STDOUT_FILENO)
  public static let standardError = OutputFile(name: "standard error", descriptor: STDERR_FILENO)

  private let name: String
  private let descriptor: Int32
  private let ownsDescriptor: Bool

  /// A descriptor that remains the caller's.
  public init(name: String, descriptor: Int32) {
    self.name = name
    self.descriptor = descriptor
    ownsDescriptor = false
  }

  /// Opens a file, which is emptied, or made.
  public init(path: String) throws(OutputError) {
    name = path
    descriptor = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0o644)
    ownsDescriptor = true
    if descriptor < 0 { throw OutputError(name: path, code: errno) }
  }

  deinit { if ownsDescriptor { close(descriptor) } }

  public func write(_ text: String) throws(OutputError) { try write(Array(text.utf8)) }

  public func write(_ bytes: [UInt8]) throws(OutputError) {
    let code = bytes.withUnsafeBytes { Self.write($0, to: descriptor) }
    if code != 0 { throw OutputError(name: name, code: code) }
  }

  /// - Returns: `errno` of what failed, or 0.
  private static func write(_ bytes: UnsafeRawBufferPointer, to descriptor: Int32) -> Int32 {
    var rest = bytes
    while !rest.isEmpty {
      let count = Glibc.write(descriptor, rest.baseAddress, rest.count)
      if count >= 0 {
        rest = UnsafeRawBufferPointer(rebasing: rest[count...])
      } else if errno == EAGAIN {
        var waiting = pollfd(fd: descriptor, events: Int16(POLLOUT), revents: 0)
        poll(&waiting, 1, -1)
      } else if errno != EINTR {
        return errno
      }
    }
    return 0
  }
}
