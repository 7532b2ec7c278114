import Glibc
import RingReactor

/// The kernel below the server, and the client's end of the one connection that there is.
///
/// What the server has the ring do is played here. What it does with its descriptor itself goes to a pair of real sockets:
/// an alert that is sent at once, and the end.
final class ClientSocket: SimulatedKernel {
  private struct Pending {
    let operation: SimulatedOperation
    let ring: SimulatedRing
    let pieces: [UnsafeMutableRawBufferPointer]
  }

  var nowNanoseconds: UInt64 = 1_000_000_000
  /// The client fetches nothing.
  var isDeaf = false
  /// The client sends nothing any more.
  var isEnded = false
  /// The server's end, which it closes.
  let serverDescriptor: Int32
  private(set) var isClosedByServer = false
  private let descriptor: Int32
  private var toServer: [UInt8] = []
  private var fromServer: [UInt8] = []
  private var receiving: Pending?
  private var sending: Pending?
  private var mailboxPoll: Pending?
  private var receivedPieces: PieceSizes
  private var sentPieces: PieceSizes

  init(receivedPieces: PieceSizes, sentPieces: PieceSizes) {
    self.receivedPieces = receivedPieces
    self.sentPieces = sentPieces
    var descriptors: (Int32, Int32) = (-1, -1)
    let code = withUnsafeMutableBytes(of: &descriptors) {
      socketpair(
        AF_UNIX, Int32(SOCK_STREAM.rawValue), 0, $0.baseAddress!.assumingMemoryBound(to: Int32.self))
    }
    check(code == 0, "no pair of sockets: \(errno)")
    (descriptor, serverDescriptor) = descriptors
  }

  deinit { close(descriptor) }

  func send(_ bytes: [UInt8]) { toServer += bytes }

  /// What the server has sent since the last time.
  func takeOutput() -> [UInt8] {
    receiveWhatWasSentAtOnce()
    defer { fromServer = [] }
    return fromServer
  }

  private func receiveWhatWasSentAtOnce() {
    withUnsafeTemporaryAllocation(byteCount: 1 << 16, alignment: 1) { buffer in
      while !isClosedByServer {
        let count = recv(descriptor, buffer.baseAddress, buffer.count, Int32(MSG_DONTWAIT))
        if count < 0 { return }
        if count == 0 { isClosedByServer = true }
        fromServer += buffer[..<count]
      }
    }
  }

  /// Bytes that there is room for in either direction.
  var wireCapacity: Int { toServer.capacity + fromServer.capacity }

  /// Ends what can be; false when nothing can.
  func advance() -> Bool {
    var isAdvancing = false
    if let pending = receiving, !toServer.isEmpty || isEnded {
      receiving = nil
      var count = 0
      // Not byte by byte through a megabyte: that takes seconds and finds nothing more.
      let limit = min(max(receivedPieces.next(), toServer.count >> 10), toServer.count)
      for piece in pending.pieces where count < limit {
        let part = min(piece.count, limit - count)
        piece.copyBytes(from: toServer[count..<count + part])
        count += part
      }
      toServer.removeFirst(count)
      pending.ring.complete(pending.operation, result: Int32(count))
      isAdvancing = true
    }
    if let pending = sending, !isDeaf {
      sending = nil
      // Nor through what is sent in many parts.
      let limit = max(sentPieces.next(), pending.pieces.reduce(0) { $0 + $1.count } >> 10, fromServer.count >> 10)
      var count = 0
      for piece in pending.pieces where count < limit {
        let part = piece.prefix(limit - count)
        fromServer += part
        count += part.count
      }
      pending.ring.complete(pending.operation, result: Int32(count))
      isAdvancing = true
    }
    return isAdvancing
  }

  // MARK: The kernel

  func openSocket() -> Int32 { fatalError("a server opens no socket") }
  func closeSocket(_ fileDescriptor: Int32) { fatalError("what was accepted is a real socket") }
  func endSending(_ fileDescriptor: Int32) { fatalError("the server ends both directions at once") }

  /// Only a socket that connects asks its kernel for this.
  func sendNow(_ fileDescriptor: Int32, _ pieces: [UnsafeMutableRawBufferPointer]) -> Int32 { 0 }
  func begin(_ operation: SimulatedOperation, on ring: SimulatedRing) {
    switch operation.kind {
    case .receive(_, let pieces):
      check(receiving == nil, "two receives at once")
      receiving = Pending(operation: operation, ring: ring, pieces: pieces)
    case .send(_, let pieces):
      check(sending == nil, "two sends at once")
      sending = Pending(operation: operation, ring: ring, pieces: pieces)
    case .poll:
      mailboxPoll = Pending(operation: operation, ring: ring, pieces: [])
    case .cancel:
      takeBack([receiving, sending])
      (receiving, sending) = (nil, nil)
      ring.complete(operation, result: 0)
    case .cancelAll:
      takeBack([receiving, sending, mailboxPoll])
      (receiving, sending, mailboxPoll) = (nil, nil, nil)
      ring.complete(operation, result: 0)
    case .connect, .unsupported:
      fatalError("an operation that no server needs")
    }
  }

  private func takeBack(_ operations: [Pending?]) {
    for case let pending? in operations { pending.ring.complete(pending.operation, result: -ECANCELED) }
  }
}
