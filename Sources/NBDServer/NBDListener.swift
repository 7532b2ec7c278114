internal import Logging
internal import RingReactor

/// A listening socket of the server.
final class NBDListener: ReactorSource {
  private var socket: ListeningSocket
  private var isClosing = false
  private let log: NBDClientLog
  private let accepted: (_ fileDescriptor: Int32) -> Void
  private var whenClosed: (@Sendable () -> Void)?

  init(
    reactor: Reactor, address: SocketAddress, log: NBDClientLog, accepted: @escaping (_ fileDescriptor: Int32) -> Void
  ) throws(RingError) {
    self.log = log
    self.accepted = accepted
    socket = try ListeningSocket(address: address)
    super.init(reactor: reactor)
    socket.accept(source: self)
  }

  var address: SocketAddress { socket.address }

  override func completed(_ completion: RingCompletion) {
    switch socket.completed(completion) {
    case .accepted(let descriptor):
      accepted(descriptor)
      socket.accept(source: self)
    case .failed(let code):
      log.write(.error, "a client could not be accepted", ["error": "\(errorText(code))"])
      // Out of descriptors, most likely: some may have been closed soon.
      reactor.setDeadline(reactor.nowNanoseconds + 100_000_000, of: self)
    case .closed:
      finishClose()
    case .none:
      break
    }
  }

  override func deadlineExpired() { if !isClosing { socket.accept(source: self) } }

  func close(_ whenClosed: @escaping @Sendable () -> Void) {
    guard !isClosing else { return whenClosed() }
    isClosing = true
    self.whenClosed = whenClosed
    reactor.setDeadline(nil, of: self)
    if socket.beginClose(source: self) { finishClose() }
  }

  override func reactorIsEnding() { close {} }

  private func finishClose() {
    retire()
    whenClosed?()
    whenClosed = nil
  }
}
