import Glibc

/// Standard input, a line at a time, without holding up anything else.
final class ControlInput {
  /// No command is longer; a longer line comes in pieces, each of which is an error.
  static let maximumLineByteCount = 65_536

  private let descriptor: Int32
  private var bytes: [UInt8] = []
  private var hasEnded = false

  init(descriptor: Int32 = STDIN_FILENO) { self.descriptor = descriptor }

  /// The next line; nil at the end of input.
  func next() async -> String? {
    while true {
      if let end = bytes.firstIndex(of: UInt8(ascii: "\n")) {
        defer { bytes.removeFirst(end + 1) }
        return String(decoding: bytes[..<end], as: UTF8.self)
      }
      if hasEnded || bytes.count >= Self.maximumLineByteCount {
        guard !bytes.isEmpty else { return nil }
        defer { bytes = [] }
        return String(decoding: bytes, as: UTF8.self)
      }
      let descriptor = descriptor
      let more = await BlockingCalls.run { Self.read(descriptor) }
      if more.isEmpty { hasEnded = true } else { bytes += more }
    }
  }

  /// Waits for bytes; none at the end of input.
  private static func read(_ descriptor: Int32) -> [UInt8] {
    while true {
      var failure: Int32 = 0
      let bytes = [UInt8](unsafeUninitializedCapacity: 4096) { buffer, count in
        let result = Glibc.read(descriptor, buffer.baseAddress!, buffer.count)
        if result < 0 { failure = errno }
        count = max(0, result)
      }
      switch failure {
      case 0: return bytes
      case EINTR: continue
      case EAGAIN:
        var waiting = pollfd(fd: descriptor, events: Int16(POLLIN), revents: 0)
        poll(&waiting, 1, -1)
      case EIO where isInBackground(descriptor):
        // Put into the background of a terminal, a target serves on; it listens again in the foreground.
        sleep(1)
      default: return []
      }
    }
  }

  private static func isInBackground(_ descriptor: Int32) -> Bool {
    let foreground = tcgetpgrp(descriptor)
    return foreground > 0 && foreground != getpgrp()
  }
}
