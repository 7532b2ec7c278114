import Glibc
import RingReactor
import Testing

/// Peers that have ended their own side, or have something urgent to say: io_uring's waiting for room or for data ends at once
/// then, whether there is any or not.
@Suite("Half-closed peers")
struct HalfClosedPeerTests {
  /// A socket on a reactor, and its peer, which blocks.
  private struct Scene {
    let reactor: Reactor
    let source: SocketSource
    let peer: Int32

    init(tcp: Bool, receivesVectors: Bool = false) throws {
      reactor = try Reactor(waitPolicy: .eventDriven)
      let ends = tcp ? Self.connection() : Self.pair()
      // As what has been accepted is.
      _ = fcntl(ends[0], F_SETFL, O_NONBLOCK)
      peer = ends[1]
      var limit = timeval(tv_sec: 20, tv_usec: 0)
      setsockopt(peer, SOL_SOCKET, SO_RCVTIMEO, &limit, socklen_t(MemoryLayout<timeval>.size))
      source = SocketSource(reactor: reactor, accepted: ends[0], receivesVectors: receivesVectors)
      if tcp { source.socket.setBufferSizes(receiveBytes: nil, sendBytes: 64 << 10) }
    }

    private static func pair() -> [Int32] {
      var ends: [Int32] = [-1, -1]
      #expect(socketpair(AF_UNIX, Int32(SOCK_STREAM.rawValue), 0, &ends) == 0)
      return ends
    }

    private static func connection() -> [Int32] {
      let listener = socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
      defer { close(listener) }
      #expect(listen(listener, 1) == 0)
      var storage = sockaddr_storage()
      var length = socklen_t(MemoryLayout<sockaddr_storage>.size)
      let peer = socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
      // Else they would hold everything.
      var byteCount: Int32 = 64 << 10
      setsockopt(peer, SOL_SOCKET, SO_RCVBUF, &byteCount, socklen_t(MemoryLayout<Int32>.size))
      withUnsafeMutableBytes(of: &storage) { bytes in
        let address = bytes.baseAddress!.assumingMemoryBound(to: sockaddr.self)
        #expect(getsockname(listener, address, &length) == 0)
        #expect(connect(peer, address, length) == 0)
      }
      return [accept(listener, nil, nil), peer]
    }

    /// Turns for so long. Returns how many turns that took.
    func turns(milliseconds: UInt64) -> UInt64 {
      let before = reactor.statistics.turnCount
      _ = reactor.turn(untilNanoseconds: MonotonicClock.nanoseconds() + milliseconds * 1_000_000, while: { true })
      return reactor.statistics.turnCount - before
    }

    /// So many bytes, as the peer reads them, while the reactor turns.
    func read(_ count: Int) -> [UInt8] {
      var bytes = [UInt8](repeating: 0, count: count)
      var position = 0
      _ = turn(reactor) {
        while position < count {
          let got = recv(peer, &bytes[position], min(50_000, count - position), Int32(MSG_DONTWAIT))
          if got <= 0 { return got == 0 }
          position += got
        }
        return true
      }
      return Array(bytes[..<position])
    }

    func end() {
      if !source.isClosed { source.close() }
      #expect(turn(reactor) { source.isClosed })
      close(peer)
    }
  }

  private static let bytes = (0..<3_000_000).map { UInt8(truncatingIfNeeded: $0 &* 7 &+ $0 >> 11) }

  /// The peer gets everything, and while it does not read nothing goes on.
  @Test(arguments: [false, true]) func aPeerThatReadsLate(tcp: Bool) throws {
    let scene = try Scene(tcp: tcp)
    #expect(shutdown(scene.peer, Int32(SHUT_WR)) == 0)
    #expect(turn(scene.reactor) { scene.source.events == [.endOfStream] })
    scene.source.send(Self.bytes)
    // The first tries in vain are the kernel's.
    _ = scene.turns(milliseconds: 100)
    let turnCount = scene.turns(milliseconds: 300)
    #expect(turnCount < 10)
    #expect(scene.read(Self.bytes.count) == Self.bytes)
    // And once more: room is waited for first now.
    scene.source.send(Self.bytes)
    #expect(scene.read(Self.bytes.count) == Self.bytes)
    #expect(turn(scene.reactor) { !scene.source.isSending })
    let isHarmless = scene.source.events.allSatisfy { if case .failed = $0 { false } else { true } }
    #expect(isHarmless)
    scene.end()
  }

  @Test(arguments: [false, true]) func closedWhileItWaits(tcp: Bool) throws {
    let scene = try Scene(tcp: tcp)
    #expect(shutdown(scene.peer, Int32(SHUT_WR)) == 0)
    scene.source.send(Self.bytes)
    _ = scene.turns(milliseconds: 100)
    #expect(scene.source.isSending)
    scene.end()
    #expect(scene.source.events.last == .closed && scene.reactor.sourceCount <= 1)
  }

  /// A peer that goes while room is waited for.
  @Test(arguments: [false, true]) func aPeerThatGoes(tcp: Bool) throws {
    let scene = try Scene(tcp: tcp)
    #expect(shutdown(scene.peer, Int32(SHUT_WR)) == 0)
    scene.source.send(Self.bytes)
    _ = scene.turns(milliseconds: 100)
    #expect(scene.source.isSending)
    close(scene.peer)
    #expect(turn(scene.reactor) { !scene.source.isSending })
    scene.source.close()
    #expect(turn(scene.reactor) { scene.source.isClosed })
  }

  @Test(arguments: [false, true]) func urgentData(vectors: Bool) throws {
    let scene = try Scene(tcp: true, receivesVectors: vectors)
    #expect(send(scene.peer, "!", 1, Int32(MSG_OOB)) == 1)
    _ = scene.turns(milliseconds: 100)
    let turnCount = scene.turns(milliseconds: 300)
    #expect(turnCount < 10)
    #expect(send(scene.peer, "abc", 3, 0) == 3)
    #expect(turn(scene.reactor) { scene.source.received == Array("abc".utf8) })
    #expect(send(scene.peer, "def", 3, 0) == 3)
    #expect(turn(scene.reactor) { scene.source.received == Array("abcdef".utf8) })
    #expect(scene.source.isReceiving)
    scene.end()
  }
}
