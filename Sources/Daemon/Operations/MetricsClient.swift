internal import Glibc
internal import RingReactor

/// One HTTP request for the metrics: its head is read, at most 8 KiB of it and for at most 5 s, and answered; then the
/// connection ends.
final class MetricsClient: ReactorSource {
  private var socket: StreamSocket
  private let text: () -> String
  private let ended: () -> Void
  private let buffer: UnsafeMutableRawBufferPointer
  private var receivedByteCount = 0
  private let vector: UnsafeMutablePointer<iovec>
  private var response: UnsafeMutableRawBufferPointer?
  private var sentByteCount = 0

  private static let maximumHeadByteCount = 8 << 10
  private static let timeoutNanoseconds: UInt64 = 5_000_000_000

  init(
    reactor: Reactor, accepted descriptor: Int32, text: @escaping () -> String, ended: @escaping () -> Void
  ) {
    socket = StreamSocket(accepted: descriptor)
    self.text = text
    self.ended = ended
    buffer = .allocate(byteCount: Self.maximumHeadByteCount, alignment: 16)
    vector = .allocate(capacity: 1)
    vector.initialize(to: iovec())
    super.init(reactor: reactor)
  }

  deinit {
    buffer.deallocate()
    vector.deallocate()
    response?.deallocate()
  }

  func start(isRefused: Bool) {
    if isRefused { return close() }
    reactor.setDeadline(nowNanoseconds + Self.timeoutNanoseconds, of: self)
    receive()
  }

  private func receive() {
    socket.receive(
      into: buffer.baseAddress! + receivedByteCount, count: buffer.count - receivedByteCount, source: self)
  }

  override func completed(_ completion: RingCompletion) {
    switch socket.completed(completion, source: self) {
    case .received(let count):
      receivedByteCount += count
      if let head = HTTPRequestHead(UnsafeRawBufferPointer(rebasing: buffer[..<receivedByteCount])) {
        answer(head)
      } else if receivedByteCount == buffer.count {
        send("431 Request Header Fields Too Large", "text/plain", "the request's head is too long\n", isHead: false)
      } else {
        receive()
      }
    case .sent(let count):
      sentByteCount += count
      if sentByteCount < response?.count ?? 0 { sendMore() } else { close() }
    case .endOfStream, .failed: close()
    case .closed: finish()
    case .connected, .none: break
    }
  }

  private func answer(_ head: HTTPRequestHead) {
    switch (head.method, head.path) {
    case ("GET", "/metrics"), ("HEAD", "/metrics"):
      send("200 OK", "text/plain; version=0.0.4; charset=utf-8", text(), isHead: head.method == "HEAD")
    case ("GET", _), ("HEAD", _):
      send("404 Not Found", "text/plain", "metrics are at /metrics\n", isHead: head.method == "HEAD")
    case ("", _): send("400 Bad Request", "text/plain", "this is no HTTP request\n", isHead: false)
    default: send("405 Method Not Allowed", "text/plain", "use GET\n", isHead: false)
    }
  }

  private func send(_ status: String, _ type: String, _ body: String, isHead: Bool) {
    let head =
      "HTTP/1.1 \(status)\r\nContent-Type: \(type)\r\nContent-Length: \(body.utf8.count)\r\nConnection: close\r\n\r\n"
    let bytes = Array((isHead ? head : head + body).utf8)
    let memory = UnsafeMutableRawBufferPointer.allocate(byteCount: bytes.count, alignment: 16)
    memory.copyBytes(from: bytes)
    response = memory
    sendMore()
  }

  private func sendMore() {
    guard let response, !socket.isClosing else { return }
    vector.pointee = iovec(iov_base: response.baseAddress! + sentByteCount, iov_len: response.count - sentByteCount)
    socket.send(vectors: UnsafeMutableRawPointer(vector), count: 1, source: self)
  }

  override func deadlineExpired() { close() }

  private func close() {
    if socket.beginClose(source: self) { finish() }
  }

  private func finish() {
    reactor.setDeadline(nil, of: self)
    retire()
    ended()
  }

  override func reactorIsEnding() { close() }
}
