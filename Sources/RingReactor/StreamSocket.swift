internal import CLiburing
import Glibc

/// A TCP or Unix-domain socket on a reactor's ring: at most one receive and one send in flight.
///
/// The socket is a value its owner keeps: the owner starts operations under its own name (a ``ReactorSource``), and
/// passes the completions back through ``completed(_:source:)``, which says what they mean. Buffers given to the
/// socket belong to the kernel until that operation has ended: an operation that nothing has come of yet goes on by itself.
public struct StreamSocket: ~Copyable {
  /// The operation codes a socket uses in its owner's completions.
  public enum Operation {
    public static let connect: UInt8 = 0x10
    public static let receive: UInt8 = 0x11
    public static let send: UInt8 = 0x12
    public static let cancel: UInt8 = 0x13
  }

  /// What the kernel reads while an operation is in flight; needs a stable address.
  private struct KernelView {
    var address = sockaddr_storage()
    var sendHeader = msghdr()
    var receiveHeader = msghdr()
    /// Of a receive without vectors of its own.
    var receiveVector = iovec()
  }

  private let view: UnsafeMutablePointer<KernelView>
  public private(set) var fileDescriptor: Int32 = -1
  /// In a simulation: whose descriptor it is.
  private var kernel: (any SimulatedKernel)?
  private var isConnecting = false
  public private(set) var isReceiving = false
  public private(set) var isSending = false
  private var receiveGate = SocketGate.readable
  private var sendGate = SocketGate.writable
  /// Cancellations that have not ended.
  private var cancellationCount: UInt8 = 0
  public private(set) var isClosing = false

  public init() {
    view = .allocate(capacity: 1)
    view.initialize(to: KernelView())
  }

  /// A connected socket, as accepted by a ``ListeningSocket``.
  public init(accepted fileDescriptor: Int32) {
    self.init()
    self.fileDescriptor = fileDescriptor
    hint(Int32(IPPROTO_TCP), TCP_NODELAY, 1)
  }

  deinit {
    precondition(!hasOperationsInFlight, "a socket's memory must outlive its operations in the kernel")
    if fileDescriptor >= 0 { Self.close(fileDescriptor, kernel) }
    view.deallocate()
  }

  /// True while the kernel may still use memory given to this socket.
  public var hasOperationsInFlight: Bool { isConnecting || isReceiving || isSending || cancellationCount > 0 }

  /// Sets an option that somebody asked for.
  private func setOption(
    _ level: Int32, _ name: Int32, _ value: Int32, _ description: @autoclosure () -> String
  ) throws(RingError) {
    if kernel != nil { return }
    var value = value
    guard setsockopt(fileDescriptor, level, name, &value, socklen_t(MemoryLayout<Int32>.size)) == 0 else {
      throw .systemCall(name: description(), errno: errno)
    }
  }

  /// Sets an option that makes things better where there is such a thing: a Unix-domain socket has none of TCP's.
  private func hint(_ level: Int32, _ name: Int32, _ value: Int32) {
    if kernel != nil { return }
    var value = value
    setsockopt(fileDescriptor, level, name, &value, socklen_t(MemoryLayout<Int32>.size))
  }

  /// The kernel's receive and send buffer sizes in bytes; nil leaves the kernel's automatic sizing.
  public func setBufferSizes(receiveBytes: Int32?, sendBytes: Int32?) {
    if let receiveBytes { hint(SOL_SOCKET, SO_RCVBUF, receiveBytes) }
    if let sendBytes { hint(SOL_SOCKET, SO_SNDBUF, sendBytes) }
  }

  /// The shortest round trip of the connection lately, as the kernel has measured it, in microseconds; nil where it is not
  /// known: no TCP, nothing acknowledged yet, a simulation.
  public var minimumRoundTripMicroseconds: Int? {
    if kernel != nil { return nil }
    let microseconds = nvmeof_minimum_round_trip_microseconds(fileDescriptor)
    return microseconds < 0 ? nil : microseconds
  }

  /// Keeps the kernel's receive buffer at this size, instead of the kernel's automatic one, until
  /// ``releaseReceiveBuffer(keepingSendBuffer:)``.
  public func holdReceiveBuffer(byteCount: Int32) { hint(SOL_SOCKET, SO_RCVBUF, byteCount) }

  /// Has the kernel size the receive buffer by itself again, from its present size on (SO_BUF_LOCK, Linux 5.15).
  ///
  /// - Parameter keepingSendBuffer: the send buffer was given a size that is to stay.
  public func releaseReceiveBuffer(keepingSendBuffer: Bool) {
    hint(SOL_SOCKET, Self.bufferLockOption, keepingSendBuffer ? Self.sendBufferLock : 0)
  }

  /// Whether a held receive buffer can be released again.
  public var canReleaseReceiveBuffer: Bool {
    var (locks, length) = (Int32(0), socklen_t(MemoryLayout<Int32>.size))
    return kernel == nil && getsockopt(fileDescriptor, SOL_SOCKET, Self.bufferLockOption, &locks, &length) == 0
  }

  /// SO_BUF_LOCK and SOCK_SNDBUF_LOCK: older C libraries than the kernel do not know them.
  private static let bufferLockOption: Int32 = 72
  private static let sendBufferLock: Int32 = 1

  /// How long sent data may stay unacknowledged before the kernel gives the connection up (TCP_USER_TIMEOUT);
  /// 0 = the system's default.
  ///
  /// - Throws: ``RingError/systemCall(name:errno:)`` where the kernel does not do so.
  public func setUserTimeout(milliseconds: UInt32) throws(RingError) {
    try setOption(
      Int32(IPPROTO_TCP), TCP_USER_TIMEOUT, Int32(clamping: milliseconds),
      "setting a user timeout of \(milliseconds) ms (TCP_USER_TIMEOUT)")
  }

  /// The priority of what is sent (SO_PRIORITY).
  ///
  /// - Throws: ``RingError/systemCall(name:errno:)`` for one that this process may not set.
  public func setPriority(_ priority: Int32) throws(RingError) {
    try setOption(
      SOL_SOCKET, SO_PRIORITY, priority,
      "setting the priority \(priority) (SO_PRIORITY, which takes CAP_NET_ADMIN outside of 0…6)")
  }

  /// Has the kernel look now and then whether a peer that is silent is still there (SO_KEEPALIVE).
  public func setKeepAlive() { hint(SOL_SOCKET, SO_KEEPALIVE, 1) }

  /// Tells the peer that nothing more will be sent, once what has been sent is with it.
  public func endSending() {
    if let kernel { kernel.endSending(fileDescriptor) } else { shutdown(fileDescriptor, Int32(SHUT_WR)) }
  }

  /// Has the next close send a reset instead of an orderly end, and throw away what is unsent; the end of the process, too.
  public func setResetOnClose(_ isOn: Bool = true) {
    guard kernel == nil else { return }
    var value = linger(l_onoff: isOn ? 1 : 0, l_linger: 0)
    setsockopt(fileDescriptor, SOL_SOCKET, SO_LINGER, &value, socklen_t(MemoryLayout<linger>.size))
  }

  /// Has the next close throw away what the peer has not acknowledged yet, and reset the connection: else the kernel goes on
  /// sending it, for minutes where the peer is not reached. Where all has been acknowledged the close is an orderly one,
  /// whatever ``setResetOnClose(_:)`` has said.
  public func discardUnsentOnClose() {
    if let kernel {
      kernel.discardUnsentOnClose(fileDescriptor)
      return
    }
    guard fileDescriptor >= 0 else { return }
    // SIOCOUTQ, which has TIOCOUTQ's number: bytes that have not been acknowledged.
    var byteCount: Int32 = 0
    let isKnown = ioctl(fileDescriptor, UInt(TIOCOUTQ), &byteCount) == 0
    setResetOnClose(isSending || !isKnown || byteCount > 0)
  }

  /// Bytes that have been sent over TCP and that the peer's system has not acknowledged. If the socket is closed with input
  /// unread, or input comes afterwards, the kernel throws them away (RFC 1122, section 4.2.2.13; RFC 2525, section 2.17).
  /// Where nothing can be lost like that, as of a Unix-domain socket, there are none.
  public var unacknowledgedByteCount: Int {
    guard kernel == nil, let family = SocketAddress(peerOf: fileDescriptor)?.family, family != AF_UNIX else { return 0 }
    var byteCount: Int32 = 0
    return ioctl(fileDescriptor, UInt(TIOCOUTQ), &byteCount) == 0 ? Int(byteCount) : 0
  }

  /// Makes the socket for an address of this family, so that options can be set before it connects.
  ///
  /// - Throws: ``RingError/systemCall(name:errno:)`` when there is none to be had.
  public mutating func open(for address: SocketAddress, source: ReactorSource) throws(RingError) {
    precondition(fileDescriptor < 0, "a socket is opened once")
    kernel = source.reactor.kernel
    fileDescriptor = kernel?.openSocket() ?? socket(address.family, Int32(nvmeof_stream_socket_type), 0)
    guard fileDescriptor >= 0 else { throw .systemCall(name: "socket", errno: errno) }
    hint(Int32(IPPROTO_TCP), TCP_NODELAY, 1)
  }

  /// Starts connecting to `address`, with the socket that was opened for it, if one was. The deadline is the owner's: it
  /// closes the socket when its time is over.
  ///
  /// - Parameter local: the address to connect from, of the same family; port 0 is any.
  public mutating func connect(
    to address: SocketAddress, from local: SocketAddress? = nil, source: ReactorSource
  ) throws(RingError) {
    precondition(!isConnecting, "a socket connects once")
    if fileDescriptor < 0 { try open(for: address, source: source) }
    if let local, kernel == nil {
      let code = local.withSocketAddress { bind(fileDescriptor, $0, $1) }
      guard code == 0 else { throw .systemCall(name: "bind to \(local.host)", errno: errno) }
    }
    view.pointee.address = address.storage
    let kernelAddress = UnsafeRawPointer(view)
      .advanced(by: MemoryLayout<KernelView>.offset(of: \KernelView.address)!)
      .assumingMemoryBound(to: sockaddr.self)
    let entry = source.ringEntry(operation: Operation.connect)
    io_uring_prep_connect(entry, fileDescriptor, kernelAddress, address.byteCount)
    isConnecting = true
  }

  /// Starts receiving into `count` bytes at `buffer`.
  public mutating func receive(into buffer: UnsafeMutableRawPointer, count: Int, source: ReactorSource) {
    assert(!isReceiving && !isClosing)
    isReceiving = true
    view.pointee.receiveVector = iovec(iov_base: buffer, iov_len: count)
    view.pointee.receiveHeader.msg_iov = UnsafeMutableRawPointer(view)
      .advanced(by: MemoryLayout<KernelView>.offset(of: \KernelView.receiveVector)!)
      .assumingMemoryBound(to: iovec.self)
    view.pointee.receiveHeader.msg_iovlen = 1
    if receiveGate.isInUse { return _ = waitToReceive(source) }
    io_uring_prep_recv(source.ringEntry(operation: Operation.receive), fileDescriptor, buffer, count, 0)
  }

  /// Starts receiving into `count` I/O vectors. The vectors themselves, too, must stay until the completion.
  public mutating func receive(vectors: UnsafeMutableRawPointer, count: Int, source: ReactorSource) {
    assert(!isReceiving && !isClosing)
    isReceiving = true
    view.pointee.receiveHeader.msg_iov = vectors.assumingMemoryBound(to: iovec.self)
    view.pointee.receiveHeader.msg_iovlen = count
    if receiveGate.isInUse { return _ = waitToReceive(source) }
    let header = UnsafeMutableRawPointer(view)
      .advanced(by: MemoryLayout<KernelView>.offset(of: \KernelView.receiveHeader)!)
      .assumingMemoryBound(to: msghdr.self)
    let entry = source.ringEntry(operation: Operation.receive)
    io_uring_prep_recvmsg(entry, fileDescriptor, header, 0)
  }

  /// What is received goes where ``KernelView/receiveHeader`` says, as soon as something is there.
  private mutating func waitToReceive(_ source: ReactorSource) -> SocketEvent {
    let code = receiveGate.wait(for: fileDescriptor, operation: Operation.receive, source: source)
    isReceiving = code == 0
    return code == 0 ? .none : .failed(operation: "receive", errno: code)
  }

  /// Receives what is there into `count` I/O vectors, without the ring; ``SocketEvent/none`` when nothing is.
  public mutating func receiveNow(vectors: UnsafeMutableRawPointer, count: Int) -> SocketEvent {
    assert(!isReceiving && !isClosing)
    if count == 1 {
      let vector = vectors.assumingMemoryBound(to: iovec.self)
      return Self.received(
        recv(fileDescriptor, vector.pointee.iov_base, vector.pointee.iov_len, nvmeof_receive_now_flags))
    }
    view.pointee.receiveHeader.msg_iov = vectors.assumingMemoryBound(to: iovec.self)
    view.pointee.receiveHeader.msg_iovlen = count
    return receiveNow()
  }

  private mutating func receiveNow() -> SocketEvent {
    Self.received(recvmsg(fileDescriptor, &view.pointee.receiveHeader, nvmeof_receive_now_flags))
  }

  private static func received(_ result: Int) -> SocketEvent {
    if result > 0 { return .received(result) }
    return result == 0 ? .endOfStream : failure("receive", errno)
  }

  /// Sends of `count` I/O vectors what the kernel takes at once, without the ring; ``SocketEvent/none`` when that is
  /// nothing.
  public mutating func sendNow(vectors: UnsafeMutableRawPointer, count: Int) -> SocketEvent {
    assert(!isSending && !isClosing)
    view.pointee.sendHeader.msg_iov = vectors.assumingMemoryBound(to: iovec.self)
    view.pointee.sendHeader.msg_iovlen = count
    if kernel != nil { return simulatedSendNow() }
    return sendNow()
  }

  private mutating func sendNow() -> SocketEvent {
    let result = sendmsg(fileDescriptor, &view.pointee.sendHeader, nvmeof_send_now_flags)
    if result > 0 { return .sent(result) }
    return result == 0 ? .none : Self.failure("send", errno)
  }

  @inline(never) private func simulatedSendNow() -> SocketEvent {
    let result = kernel!.sendNow(fileDescriptor, SimulatedRing.pieces(&view.pointee.sendHeader))
    if result >= 0 { return result == 0 ? .none : .sent(Int(result)) }
    return Self.failure("send", -result)
  }

  /// Starts sending `count` I/O vectors (at most 1024). The vectors themselves, too, must stay until the completion.
  public mutating func send(vectors: UnsafeMutableRawPointer, count: Int, source: ReactorSource) {
    assert(!isSending && !isClosing)
    isSending = true
    view.pointee.sendHeader.msg_iov = vectors.assumingMemoryBound(to: iovec.self)
    view.pointee.sendHeader.msg_iovlen = count
    if sendGate.isInUse { return _ = waitToSend(source) }
    let header = UnsafeMutableRawPointer(view)
      .advanced(by: MemoryLayout<KernelView>.offset(of: \KernelView.sendHeader)!)
      .assumingMemoryBound(to: msghdr.self)
    let entry = source.ringEntry(operation: Operation.send)
    io_uring_prep_sendmsg(entry, fileDescriptor, header, nvmeof_send_flags)
  }

  /// What ``KernelView/sendHeader`` says is sent as soon as there is room for some of it.
  private mutating func waitToSend(_ source: ReactorSource) -> SocketEvent {
    let code = sendGate.wait(for: fileDescriptor, operation: Operation.send, source: source)
    isSending = code == 0
    return code == 0 ? .none : .failed(operation: "send", errno: code)
  }

  /// Starts closing: takes back what is in the kernel. Returns true when nothing is, and the socket is closed already;
  /// else ``SocketEvent/closed`` follows.
  public mutating func beginClose(source: ReactorSource) -> Bool {
    if isClosing { return false }
    isClosing = true
    guard fileDescriptor >= 0 else { return true }
    if isConnecting || isReceiving || isSending {
      cancelOperations(on: fileDescriptor, source)
      if receiveGate.isWaiting { cancelOperations(on: receiveGate.fileDescriptor, source) }
      if sendGate.isWaiting { cancelOperations(on: sendGate.fileDescriptor, source) }
      return false
    }
    finishClose()
    return true
  }

  private mutating func cancelOperations(on fileDescriptor: Int32, _ source: ReactorSource) {
    io_uring_prep_cancel_fd(
      source.ringEntry(operation: Operation.cancel), fileDescriptor, UInt32(IORING_ASYNC_CANCEL_ALL))
    cancellationCount += 1
  }

  // Not inlined: once in a connection's life, and its caller is there for each completion.
  @inline(never) private mutating func finishClose() {
    Self.close(fileDescriptor, kernel)
    fileDescriptor = -1
  }

  private static func close(_ fileDescriptor: Int32, _ kernel: (any SimulatedKernel)?) {
    if let kernel { kernel.closeSocket(fileDescriptor) } else { Glibc.close(fileDescriptor) }
  }

  /// EPIPE says that the peer had closed its side before: whether a send or a receive finds that out first is chance.
  /// EAGAIN and EINTR say that nothing has happened yet.
  private static func failure(_ operation: String, _ code: Int32) -> SocketEvent {
    switch code {
    case EAGAIN, EINTR: .none
    case EPIPE: .endOfStream
    default: .failed(operation: operation, errno: code)
    }
  }

  // Not inlined, as is the other one: most operations have moved bytes.
  @inline(never) private mutating func receiveEnded(_ result: Int32, _ source: ReactorSource) -> SocketEvent {
    let hasWaited = receiveGate.waitEnded()
    if isClosing { return .none }
    let event: SocketEvent
    if result < 0 {
      event = Self.failure("receive", -result)
    } else {
      event = hasWaited ? receiveNow() : .endOfStream
    }
    return event == .none ? waitToReceive(source) : event
  }

  @inline(never) private mutating func sendEnded(_ result: Int32, _ source: ReactorSource) -> SocketEvent {
    let hasWaited = sendGate.waitEnded()
    if isClosing { return .none }
    let event: SocketEvent
    if result < 0 {
      event = Self.failure("send", -result)
    } else {
      event = hasWaited ? sendNow() : .endOfStream
    }
    return event == .none ? waitToSend(source) : event
  }

  /// What a completion of one of this socket's operations means.
  ///
  /// - Parameter source: the owner, in whose name an operation goes on that nothing has come of yet.
  public mutating func completed(_ completion: RingCompletion, source: ReactorSource) -> SocketEvent {
    let result = completion.result
    var event = SocketEvent.none
    switch completion.operation {
    case Operation.connect:
      isConnecting = false
      event = result == 0 ? .connected : .failed(operation: "connect", errno: -result)
    case Operation.receive:
      isReceiving = false
      event = result > 0 && !receiveGate.isWaiting ? .received(Int(result)) : receiveEnded(result, source)
    case Operation.send:
      isSending = false
      event = result > 0 && !sendGate.isWaiting ? .sent(Int(result)) : sendEnded(result, source)
    case Operation.cancel:
      cancellationCount -= 1
    default:
      return .none
    }
    guard isClosing else { return event }
    if hasOperationsInFlight || fileDescriptor < 0 { return .none }
    finishClose()
    return .closed
  }
}
