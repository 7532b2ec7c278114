internal import Glibc
internal import JSONRPC
internal import Logging
internal import RingReactor

/// Serves JSON-RPC on a Unix-domain socket: listens, and keeps a ``RPCClient`` for everybody who connects.
///
/// Lives on the control reactor. Only the user who started the daemon can connect (mode 0600).
final class RPCServer: ReactorSource {
  private var socket: ListeningSocket
  private let path: String
  /// Held until the socket is closed.
  private var lock: FileLock?
  private let dispatcher: RPCDispatcher
  private let limits: RPCLimits
  let budget: RPCBudget
  /// By their identifiers.
  private var clients: [SourceIdentifier: RPCClient] = [:]
  private var whenClosed: (() -> Void)?
  private var isClosing = false

  /// More are turned away; each may have a request of its own that takes long, and the memory of one that is incomplete.
  private static let maximumClientCount = 256
  /// After a failed accept, which is for want of descriptors or memory.
  private static let retryNanoseconds: UInt64 = 100_000_000

  /// Has the socket and its lock; ``serve()`` follows.
  init(
    reactor: Reactor, path: String, dispatcher: RPCDispatcher, limits: RPCLimits = RPCLimits(),
    budget: RPCBudget.Limits = RPCBudget.Limits()
  ) throws(RPCServerError) {
    guard let address = SocketAddress(unixPath: path) else { throw .pathTooLong(path) }
    self.path = path
    self.dispatcher = dispatcher
    self.limits = limits
    self.budget = RPCBudget(limits: budget)
    // First the lock: with it in our hands a socket of that name is a leftover. One that somebody still seems to listen
    // at is, too: the kernel takes its time to end the ring of a process that was killed, and with it the socket.
    do throws(FileLock.Failure) { lock = try FileLock(besides: path) } catch {
      switch error {
      case .isHeld: throw .isServed(path)
      case .system(let path, let code): throw .lockFile(path: path, errno: code)
      }
    }
    var status = stat()
    if lstat(path, &status) == 0, status.st_mode & S_IFMT == S_IFSOCK { unlink(path) }
    do throws(RingError) {
      socket = try ListeningSocket(address: address, mode: 0o600)
    } catch {
      throw .socket(path, error)
    }
    super.init(reactor: reactor)
    self.budget.whenExhausted = { [weak self] in self?.cutOffLargest() }
  }

  /// One that reads what it asked for has little that waits, and so does one whose requests come whole.
  private func cutOffLargest() { clients.values.max { $0.memoryByteCount < $1.memoryByteCount }?.cutOff() }

  /// Begins to serve. Whoever has connected before has waited until now.
  func serve() {
    if !isClosing && !socket.isAccepting { socket.accept(source: self) }
  }

  /// Those connected now.
  var clientCount: Int { clients.count }

  override func completed(_ completion: RingCompletion) {
    switch socket.completed(completion) {
    case .accepted(let descriptor):
      accept(descriptor)
      socket.accept(source: self)
    case .failed(let code):
      dispatcher.logger.error("a client could not be accepted", metadata: ["error": "\(errorText(code))"])
      reactor.setDeadline(nowNanoseconds + Self.retryNanoseconds, of: self)
    case .closed: listeningEnded()
    case .none: break
    }
  }

  override func deadlineExpired() { serve() }

  private func accept(_ descriptor: Int32) {
    guard clients.count < Self.maximumClientCount, !isClosing else {
      dispatcher.logger.warning("too many clients: one is turned away", metadata: ["clients": "\(clients.count)"])
      Glibc.close(descriptor)
      return
    }
    let client = RPCClient(
      reactor: reactor, accepted: descriptor, dispatcher: dispatcher, limits: limits, budget: budget
    ) { [weak self] client in self?.clientEnded(client) }
    clients[client.identifier] = client
  }

  private func clientEnded(_ client: RPCClient) {
    clients[client.identifier] = nil
    tellIfClosed()
  }

  /// Ends: nobody can connect any more, and those connected are disconnected once what they are to be sent has been,
  /// or after `graceNanoseconds`.
  func close(_ whenClosed: @escaping () -> Void) {
    guard !isClosing else { return }
    isClosing = true
    self.whenClosed = whenClosed
    reactor.setDeadline(nil, of: self)
    for client in clients.values { client.drain() }
    if socket.beginClose(source: self) { listeningEnded() }
  }

  private var hasListeningEnded = false

  private func listeningEnded() {
    hasListeningEnded = true
    tellIfClosed()
  }

  private func tellIfClosed() {
    guard isClosing, hasListeningEnded, clients.isEmpty else { return }
    let tell = whenClosed
    whenClosed = nil
    lock = nil
    retire()
    tell?()
  }

  override func reactorIsEnding() { close {} }
}
