import RingReactor

/// Listens on loopback and keeps what it accepts.
final class ListenerSource: ReactorSource {
  var socket: ListeningSocket
  private(set) var connections: [SocketSource] = []
  private(set) var isClosed = false
  var echoes = false
  var receives = true

  init(reactor: Reactor, host: String = "127.0.0.1") throws {
    socket = try ListeningSocket(address: SocketAddress(numericHost: host, port: 0)!)
    super.init(reactor: reactor)
    socket.accept(source: self)
  }

  var address: SocketAddress { socket.address }

  func close() {
    if socket.beginClose(source: self) { ended() }
  }

  private func ended() {
    isClosed = true
    retire()
  }

  override func completed(_ completion: RingCompletion) {
    switch socket.completed(completion) {
    case .accepted(let descriptor):
      let connection = SocketSource(reactor: reactor, accepted: descriptor)
      connection.echoes = echoes
      connection.receives = receives
      connections.append(connection)
      socket.accept(source: self)
    case .failed:
      socket.accept(source: self)
    case .closed:
      ended()
    case .none:
      break
    }
  }
}
