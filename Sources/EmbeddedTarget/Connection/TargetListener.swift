internal import RingReactor

/// A listening socket of the target.
final class TargetListener: ReactorSource {
  let port: TargetPort
  private unowned(unsafe) let core: TargetCore
  private var socket: ListeningSocket
  private var isClosing = false

  init(reactor: Reactor, core: TargetCore, port: TargetPort, address: SocketAddress) throws(RingError) {
    self.core = core
    self.port = port
    socket = try ListeningSocket(address: address)
    port.host = socket.address.host
    port.port = socket.address.port
    super.init(reactor: reactor)
    socket.accept(source: self)
  }

  var address: SocketAddress { socket.address }

  override func completed(_ completion: RingCompletion) {
    switch socket.completed(completion) {
    case .accepted(let descriptor):
      core.accepted(fileDescriptor: descriptor, port: port)
      socket.accept(source: self)
    case .failed:
      // Out of descriptors, most likely: try again when some may have been closed.
      reactor.setDeadline(reactor.nowNanoseconds + 100_000_000, of: self)
    case .closed:
      finishClose()
    case .none:
      break
    }
  }

  override func deadlineExpired() {
    if !isClosing { socket.accept(source: self) }
  }

  func close() {
    guard !isClosing else { return }
    isClosing = true
    reactor.setDeadline(nil, of: self)
    if socket.beginClose(source: self) { finishClose() }
  }

  private func finishClose() {
    core.listenerClosed(self)
    retire()
  }
}
