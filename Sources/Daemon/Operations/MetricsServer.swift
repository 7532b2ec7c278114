internal import RingReactor

/// Answers Prometheus: HTTP/1.1 on loopback, `GET /metrics`, one request a connection. Lives on the control reactor.
final class MetricsServer: ReactorSource {
  private var socket: ListeningSocket
  private let text: () -> String
  private var clientCount = 0
  private var isClosing = false

  private static let maximumClientCount = 16
  private static let retryNanoseconds: UInt64 = 100_000_000

  /// - Parameter port: 0 for any that is free; ``port`` tells.
  init(reactor: Reactor, port: UInt16, text: @escaping () -> String) throws(RingError) {
    self.text = text
    socket = try ListeningSocket(address: SocketAddress(numericHost: "127.0.0.1", port: port)!)
    super.init(reactor: reactor)
    socket.accept(source: self)
  }

  var port: UInt16 { socket.address.port }

  override func completed(_ completion: RingCompletion) {
    switch socket.completed(completion) {
    case .accepted(let descriptor):
      accept(descriptor)
      socket.accept(source: self)
    case .failed: reactor.setDeadline(nowNanoseconds + Self.retryNanoseconds, of: self)
    case .closed: retire()
    case .none: break
    }
  }

  override func deadlineExpired() {
    if !isClosing && !socket.isAccepting { socket.accept(source: self) }
  }

  private func accept(_ descriptor: Int32) {
    // With too many it is answered all the same, by the end of the connection.
    let isRefused = clientCount >= Self.maximumClientCount
    clientCount += 1
    MetricsClient(reactor: reactor, accepted: descriptor, text: text) { [weak self] in self?.clientCount -= 1 }
      .start(isRefused: isRefused)
  }

  func close() {
    guard !isClosing else { return }
    isClosing = true
    reactor.setDeadline(nil, of: self)
    if socket.beginClose(source: self) { retire() }
  }

  override func reactorIsEnding() { close() }
}
