internal import Glibc

/// A blocking TCP socket on which everything has a deadline. Used by one thread.
final class RawSocket {
  private let descriptor: Int32
  private var isOpen = true

  /// Connects to the first address of `host` that accepts.
  init(host: String, port: UInt16, deadline: ContinuousClock.Instant) throws(RawError) {
    var hints = addrinfo()
    hints.ai_socktype = Int32(SOCK_STREAM.rawValue)
    hints.ai_flags = AI_NUMERICSERV
    var list: UnsafeMutablePointer<addrinfo>?
    let code = getaddrinfo(host, String(port), &hints, &list)
    guard code == 0, let first = list else { throw .unreachable("\(host): \(String(cString: gai_strerror(code)))") }
    defer { freeaddrinfo(first) }
    var problem = "\(host) has no address"
    var next: UnsafeMutablePointer<addrinfo>? = first
    while let entry = next?.pointee {
      next = entry.ai_next
      let candidate = socket(
        entry.ai_family, entry.ai_socktype | Int32(SOCK_CLOEXEC.rawValue) | Int32(SOCK_NONBLOCK.rawValue),
        entry.ai_protocol)
      guard candidate >= 0 else {
        problem = Self.message(errno)
        continue
      }
      var failure: Int32 = 0
      if connect(candidate, entry.ai_addr, entry.ai_addrlen) != 0 {
        failure = errno
        if failure == EINPROGRESS {
          failure = ETIMEDOUT
          if Self.isReady(candidate, POLLOUT, until: deadline) {
            var length = socklen_t(MemoryLayout<Int32>.size)
            getsockopt(candidate, SOL_SOCKET, SO_ERROR, &failure, &length)
          }
        }
      }
      if failure == 0 {
        descriptor = candidate
        var one: Int32 = 1
        setsockopt(candidate, Int32(IPPROTO_TCP), TCP_NODELAY, &one, socklen_t(MemoryLayout<Int32>.size))
        return
      }
      Glibc.close(candidate)
      problem = "\(host):\(port): \(Self.message(failure))"
    }
    throw .unreachable(problem)
  }

  deinit { close() }

  /// Closes the connection in order (FIN).
  func close() {
    guard isOpen else { return }
    isOpen = false
    Glibc.close(descriptor)
  }

  /// Closes the connection with a reset: what a host does that crashes.
  func reset() {
    guard isOpen else { return }
    var option = linger(l_onoff: 1, l_linger: 0)
    setsockopt(descriptor, SOL_SOCKET, SO_LINGER, &option, socklen_t(MemoryLayout<linger>.size))
    close()
  }

  func send(_ bytes: [UInt8], until deadline: ContinuousClock.Instant, _ what: String) throws(RawError) {
    var sent = 0
    while sent < bytes.count {
      let count = bytes.withUnsafeBytes {
        Glibc.send(descriptor, $0.baseAddress! + sent, bytes.count - sent, Int32(MSG_NOSIGNAL))
      }
      if count >= 0 {
        sent += count
        continue
      }
      switch errno {
      case EINTR: continue
      case EAGAIN:
        guard Self.isReady(descriptor, POLLOUT, until: deadline) else { throw .timedOut(what) }
      case EPIPE, ECONNRESET: throw .closed(while: what)
      default: throw .system("send", Self.message(errno))
      }
    }
  }

  /// Receives exactly `count` bytes.
  func receive(_ count: Int, until deadline: ContinuousClock.Instant, _ what: String) throws(RawError) -> [UInt8] {
    var bytes = [UInt8](repeating: 0, count: count)
    var received = 0
    while received < count {
      let size = bytes.withUnsafeMutableBytes { recv(descriptor, $0.baseAddress! + received, count - received, 0) }
      if size > 0 {
        received += size
        continue
      }
      if size == 0 { throw .closed(while: what) }
      switch errno {
      case EINTR: continue
      case EAGAIN:
        guard Self.isReady(descriptor, POLLIN, until: deadline) else { throw .timedOut(what) }
      case ECONNRESET, EPIPE: throw .closed(while: what)
      default: throw .system("receive", Self.message(errno))
      }
    }
    return bytes
  }

  private static func isReady(_ descriptor: Int32, _ events: Int32, until deadline: ContinuousClock.Instant) -> Bool {
    while true {
      let left = deadline - .now
      guard left > .zero else { return false }
      let (seconds, attoseconds) = left.components
      let milliseconds = Int32(clamping: seconds * 1000 + attoseconds / 1_000_000_000_000_000 + 1)
      var entry = pollfd(fd: descriptor, events: Int16(events), revents: 0)
      let count = poll(&entry, 1, milliseconds)
      if count > 0 { return true }
      if count < 0, errno != EINTR { return false }
    }
  }

  private static func message(_ code: Int32) -> String { String(cString: strerror(code)) }
}
