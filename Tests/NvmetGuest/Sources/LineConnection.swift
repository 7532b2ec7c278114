import Glibc

/// A stream socket that carries lines of text, with deadlines.
struct LineConnection: ~Copyable {
  /// A line longer than this is not an answer.
  private static let longestLine = 64 << 20

  private let socket: FileDescriptor
  private var received: [UInt8] = []
  private var searched = 0

  init(_ socket: consuming FileDescriptor) {
    self.socket = socket
  }

  /// Sends `line` and a line feed.
  /// - Returns: false when `deadline` passed first; the connection is then of no more use.
  mutating func send(_ line: String, until deadline: ContinuousClock.Instant) throws(NvmetGuestError) -> Bool {
    let bytes = Array((line + "\n").utf8)
    var sent = 0
    while sent < bytes.count {
      guard try socket.wait(for: POLLOUT, until: deadline) else { return false }
      let count = bytes.withUnsafeBytes { buffer in
        Glibc.send(
          socket.rawValue, buffer.baseAddress! + sent, bytes.count - sent,
          Int32(MSG_NOSIGNAL) | Int32(MSG_DONTWAIT))
      }
      if count < 0 {
        if errno == EINTR || errno == EAGAIN { continue }
        throw .system("send", errorNumber: errno)
      }
      sent += count
    }
    return true
  }

  /// The next line without its end.
  /// - Returns: nil when `deadline` passed first.
  mutating func receiveLine(until deadline: ContinuousClock.Instant) throws(NvmetGuestError) -> String? {
    while true {
      if let end = received[searched...].firstIndex(of: 0x0A) {
        let line = String(decoding: received[..<end], as: UTF8.self)
        received.removeSubrange(...end)
        searched = 0
        return line.last == "\r" ? String(line.dropLast()) : line
      }
      searched = received.count
      guard received.count < Self.longestLine else { throw .badReply("a line of more than \(Self.longestLine) bytes") }
      guard try socket.wait(for: POLLIN, until: deadline) else { return nil }
      var chunk = [UInt8](repeating: 0, count: 65536)
      let count = recv(socket.rawValue, &chunk, chunk.count, Int32(MSG_DONTWAIT))
      if count == 0 { throw .system("receive", errorNumber: ECONNRESET) }
      if count < 0 {
        if errno == EINTR || errno == EAGAIN { continue }
        throw .system("receive", errorNumber: errno)
      }
      received.append(contentsOf: chunk[..<count])
    }
  }
}
