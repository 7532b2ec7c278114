import Glibc
import RingReactor
import Testing

@Suite("Sockets on the ring")
struct StreamSocketTests {
  /// A reactor with a listener and one connection to it.
  private struct Scene {
    let reactor: Reactor
    let listener: ListenerSource
    let client: SocketSource

    init(serverReceives: Bool = true) throws {
      reactor = try Reactor()
      listener = try ListenerSource(reactor: reactor)
      listener.receives = serverReceives
      client = SocketSource(reactor: reactor)
      try client.connect(to: listener.address)
    }

    func connect() -> Bool { turn(reactor) { client.events == [.connected] && listener.connections.count == 1 } }

    func closeAll() -> Bool {
      if !client.isClosed { client.close() }
      for connection in listener.connections where !connection.isClosed { connection.close() }
      listener.close()
      return turn(reactor) { reactor.sourceCount == 0 }
    }
  }

  @Test("what is sent comes back", arguments: ["127.0.0.1", "::1"])
  func echo(host: String) throws {
    let reactor = try Reactor()
    let listener = try ListenerSource(reactor: reactor, host: host)
    listener.echoes = true
    #expect(listener.address.host == host && listener.address.port > 0)
    let client = SocketSource(reactor: reactor)
    try client.connect(to: listener.address)
    #expect(turn(reactor) { client.events == [.connected] })
    // More than the kernel's buffers take at once.
    let bytes = (0..<3_000_000).map { UInt8(truncatingIfNeeded: $0 &* 7 &+ $0 >> 11) }
    client.send(bytes)
    #expect(turn(reactor) { client.received.count == bytes.count })
    #expect(client.received == bytes)
    client.close()
    #expect(turn(reactor) { listener.connections[0].events.last == .endOfStream })
    listener.connections[0].close()
    listener.close()
    #expect(turn(reactor) { reactor.sourceCount == 0 })
  }

  @Test("closing before anything else")
  func closeUnused() throws {
    let reactor = try Reactor()
    let client = SocketSource(reactor: reactor)
    client.close()
    client.close()
    #expect(client.isClosed && reactor.sourceCount == 0)
  }

  @Test("closing while it connects, in the same turn and later", arguments: [false, true])
  func closeWhileConnecting(turnsBetween: Bool) throws {
    let hole = try BlackHole()
    let reactor = try Reactor()
    let client = SocketSource(reactor: reactor)
    try client.connect(to: hole.address)
    if turnsBetween { reactor.turn(.atMost(nanoseconds: 1_000_000)) }
    client.close()
    #expect(!client.isClosed)
    #expect(turn(reactor) { client.isClosed })
    #expect(client.events == [.closed] && reactor.sourceCount == 0)
  }

  @Test("a connection that nobody answers ends with its deadline")
  func blackHole() throws {
    let hole = try BlackHole()
    let reactor = try Reactor()
    let client = SocketSource(reactor: reactor)
    try client.connect(to: hole.address)
    reactor.setDeadline(MonotonicClock.nanoseconds() + 50_000_000, of: client)
    #expect(turn(reactor) { client.isClosed })
    #expect(client.events == [.closed] && reactor.sourceCount == 0)
  }

  @Test("closing while it receives")
  func closeWhileReceiving() throws {
    let scene = try Scene()
    #expect(scene.connect())
    #expect(scene.client.isReceiving)
    scene.client.close()
    #expect(!scene.client.isClosed, "the kernel still has the buffer")
    #expect(turn(scene.reactor) { scene.client.isClosed })
    #expect(scene.client.events == [.connected, .closed])
    #expect(turn(scene.reactor) { scene.listener.connections[0].events == [.endOfStream] })
    #expect(scene.closeAll())
  }

  @Test("closing while a send is stuck")
  func closeWhileSending() throws {
    let scene = try Scene(serverReceives: false)
    #expect(scene.connect())
    scene.client.send([UInt8](repeating: 1, count: 64 << 20))
    scene.reactor.turn(.atMost(nanoseconds: 10_000_000))
    #expect(scene.client.isSending)
    scene.client.close()
    #expect(turn(scene.reactor) { scene.client.isClosed })
    #expect(scene.closeAll())
  }

  /// What the peer has not taken yet the kernel goes on sending, for minutes if need be; unless it is thrown away.
  @Test("closing with bytes that the peer has not taken", arguments: [false, true])
  func closeWithUnsentBytes(isDiscarded: Bool) throws {
    let scene = try Scene(serverReceives: false)
    #expect(scene.connect())
    scene.client.send([UInt8](repeating: 1, count: 64 << 20))
    scene.reactor.turn(.atMost(nanoseconds: 10_000_000))
    #expect(scene.client.isSending)
    if isDiscarded { scene.client.socket.discardUnsentOnClose() }
    scene.client.close()
    #expect(turn(scene.reactor) { scene.client.isClosed })
    let connection = scene.listener.connections[0]
    connection.receives = true
    connection.receiveMore()
    let reset = SocketEvent.failed(operation: "receive", errno: ECONNRESET)
    #expect(turn(scene.reactor) { connection.events.last == .endOfStream || connection.events.last == reset })
    #expect(connection.events.last == (isDiscarded ? reset : .endOfStream))
    #expect(scene.closeAll())
  }

  @Test("a close with nothing unsent is an orderly one")
  func closeWithNothingUnsent() throws {
    let scene = try Scene()
    #expect(scene.connect())
    scene.client.send([1, 2, 3])
    let connection = scene.listener.connections[0]
    #expect(turn(scene.reactor) { connection.received == [1, 2, 3] })
    scene.client.socket.discardUnsentOnClose()
    scene.client.close()
    #expect(turn(scene.reactor) { connection.events.last == .endOfStream })
    #expect(scene.closeAll())
  }

  @Test("closing after the peer has gone, in good order or with a reset", arguments: [false, true])
  func closeAfterPeer(resets: Bool) throws {
    let scene = try Scene()
    #expect(scene.connect())
    if resets { scene.listener.connections[0].socket.setResetOnClose() }
    scene.listener.connections[0].close()
    #expect(turn(scene.reactor) { scene.client.events.count == 2 })
    #expect(
      scene.client.events[1] == (resets ? .failed(operation: "receive", errno: ECONNRESET) : .endOfStream))
    if !resets {
      scene.client.send([1])
      #expect(turn(scene.reactor) { scene.client.events.count == 3 })
      scene.client.send([1])
      #expect(turn(scene.reactor) { scene.client.events.count == 4 })
      // EPIPE, which says no more than the end that was seen before.
      #expect(scene.client.events[3] == .endOfStream)
    }
    scene.client.close()
    #expect(scene.client.isClosed, "nothing was with the kernel")
    #expect(scene.closeAll())
  }

  @Test("connecting to where nobody listens")
  func refused() throws {
    let reactor = try Reactor()
    let listener = try ListenerSource(reactor: reactor)
    let address = listener.address
    listener.close()
    #expect(turn(reactor) { listener.isClosed })
    let client = SocketSource(reactor: reactor)
    try client.connect(to: address)
    #expect(turn(reactor) { !client.events.isEmpty })
    #expect(client.events == [.failed(operation: "connect", errno: ECONNREFUSED)])
    client.close()
    #expect(client.isClosed && reactor.sourceCount == 0)
  }

  @Test("a listening socket closed before, while and after it accepts", arguments: 0..<3)
  func closeListener(moment: Int) throws {
    let reactor = try Reactor()
    let listener = try ListenerSource(reactor: reactor)
    let client = SocketSource(reactor: reactor)
    switch moment {
    case 0: break
    case 1: try client.connect(to: listener.address)
    default:
      try client.connect(to: listener.address)
      #expect(turn(reactor) { listener.connections.count == 1 })
    }
    listener.close()
    listener.close()
    #expect(turn(reactor) { listener.isClosed })
    for connection in listener.connections { connection.close() }
    client.close()
    #expect(turn(reactor) { reactor.sourceCount == 0 })
  }

  @Test("an address that is taken")
  func taken() throws {
    let reactor = try Reactor()
    let listener = try ListenerSource(reactor: reactor)
    let address = listener.address
    #expect(throws: RingError.self) { _ = try ListeningSocket(address: address) }
    listener.close()
    #expect(turn(reactor) { listener.isClosed })
  }

  @Test("a reactor that ends with connections open in every state")
  func endWithOpenConnections() throws {
    let hole = try BlackHole()
    var sources: [SocketSource] = []
    do {
      let scene = try Scene(serverReceives: false)
      #expect(scene.connect())
      scene.client.send([UInt8](repeating: 1, count: 64 << 20))
      let connecting = SocketSource(reactor: scene.reactor)
      try connecting.connect(to: hole.address)
      let idle = SocketSource(reactor: scene.reactor)
      try idle.connect(to: scene.listener.address)
      scene.reactor.turn(.atMost(nanoseconds: 10_000_000))
      sources = [scene.client, connecting, idle] + scene.listener.connections
    }
    for source in sources { #expect(!source.hasOperationsInFlight) }
  }
}
