import Glibc
import RingReactor

/// A connection that keeps receiving, and sends what it is given; an echo if asked to.
final class SocketSource: ReactorSource {
  var socket: StreamSocket
  private(set) var events: [SocketEvent] = []
  private(set) var received: [UInt8] = []
  private(set) var isClosed = false
  var echoes = false
  var receives = true
  /// By vectors, which is another operation of the kernel's.
  private let receivesVectors: Bool
  private let buffer: UnsafeMutableRawPointer
  private let vector: UnsafeMutablePointer<iovec>
  private let receiveVector: UnsafeMutablePointer<iovec>
  private var outgoing: [[UInt8]] = []
  private var sending: UnsafeMutableRawBufferPointer?
  private static let capacity = 65536

  init(reactor: Reactor, accepted: Int32? = nil, receivesVectors: Bool = false) {
    self.receivesVectors = receivesVectors
    socket = accepted.map { StreamSocket(accepted: $0) } ?? StreamSocket()
    buffer = .allocate(byteCount: Self.capacity, alignment: 8)
    vector = .allocate(capacity: 1)
    vector.initialize(to: iovec())
    receiveVector = .allocate(capacity: 1)
    receiveVector.initialize(to: iovec(iov_base: buffer, iov_len: Self.capacity))
    super.init(reactor: reactor)
    if accepted != nil { receiveMore() }
  }

  deinit {
    buffer.deallocate()
    vector.deallocate()
    receiveVector.deallocate()
    sending?.deallocate()
  }

  // The socket cannot be copied, so the expectation macros cannot look into it themselves.
  var isReceiving: Bool { socket.isReceiving }
  var isSending: Bool { socket.isSending }
  var hasOperationsInFlight: Bool { socket.hasOperationsInFlight }

  func connect(to address: SocketAddress) throws { try socket.connect(to: address, source: self) }

  func send(_ bytes: [UInt8]) {
    outgoing.append(bytes)
    if !socket.isSending { sendMore() }
  }

  func receiveMore() {
    guard receives, !socket.isClosing, !socket.isReceiving else { return }
    if receivesVectors {
      socket.receive(vectors: UnsafeMutableRawPointer(receiveVector), count: 1, source: self)
    } else {
      socket.receive(into: buffer, count: Self.capacity, source: self)
    }
  }

  private func sendMore() {
    guard !outgoing.isEmpty, !socket.isClosing else { return }
    sending?.deallocate()
    let bytes = outgoing.removeFirst()
    let memory = UnsafeMutableRawBufferPointer.allocate(byteCount: bytes.count, alignment: 1)
    memory.copyBytes(from: bytes)
    sending = memory
    vector.pointee = iovec(iov_base: memory.baseAddress, iov_len: memory.count)
    socket.send(vectors: UnsafeMutableRawPointer(vector), count: 1, source: self)
  }

  func close() {
    if socket.beginClose(source: self) { ended() }
  }

  private func ended() {
    isClosed = true
    retire()
  }

  override func deadlineExpired() { close() }

  override func completed(_ completion: RingCompletion) {
    let event = socket.completed(completion, source: self)
    if event != .none { events.append(event) }
    switch event {
    case .connected:
      receiveMore()
    case .received(let count):
      let bytes = [UInt8](UnsafeRawBufferPointer(start: buffer, count: count))
      received += bytes
      if echoes { send(bytes) }
      receiveMore()
    case .sent(let count):
      if let sending, count < sending.count {
        outgoing.insert([UInt8](sending.dropFirst(count)), at: 0)
      }
      sendMore()
    case .closed:
      ended()
    case .endOfStream, .failed, .none:
      break
    }
  }
}
