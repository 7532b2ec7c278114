internal import Glibc
internal import JSONRPC
internal import Logging
internal import RingReactor

/// One client of the ``RPCServer``: its socket, and what ``RPCConnection`` makes of what comes from there. Lives on the
/// control reactor.
///
/// Every request is a task of its own, so that one that takes long holds up no other. A client that does not read its
/// replies is not read from; one that goes away leaves its requests to be carried out to their end.
final class RPCClient: ReactorSource {
  private var socket: StreamSocket
  private var connection: RPCConnection
  private let dispatcher: RPCDispatcher
  private let budget: RPCBudget
  private let ended: (RPCClient) -> Void
  /// What the budget counts.
  private(set) var memoryByteCount = 0
  private let buffer: UnsafeMutableRawPointer
  private let vectors: UnsafeMutablePointer<iovec>
  /// What the ring sends to a client that is slow to read: a copy, because it is the kernel's until it is sent.
  private var waiting: UnsafeMutableRawBufferPointer?
  private var isWorking = false
  private var isDraining = false

  private static let bufferByteCount = 16 << 10
  private static let waitingByteCount = 64 << 10
  /// Others on the reactor are to have their turn.
  private static let requestsPerTurn = 64
  /// How long a client may take to read what is left for it when the daemon ends.
  private static let drainNanoseconds: UInt64 = 1_000_000_000

  init(
    reactor: Reactor, accepted descriptor: Int32, dispatcher: RPCDispatcher, limits: RPCLimits, budget: RPCBudget,
    ended: @escaping (RPCClient) -> Void
  ) {
    socket = StreamSocket(accepted: descriptor)
    connection = RPCConnection(limits: limits)
    self.dispatcher = dispatcher
    self.budget = budget
    self.ended = ended
    buffer = .allocate(byteCount: Self.bufferByteCount, alignment: 16)
    vectors = .allocate(capacity: RPCOutput.maximumFrontCount)
    vectors.initialize(repeating: iovec(), count: RPCOutput.maximumFrontCount)
    super.init(reactor: reactor)
    work()
  }

  deinit {
    buffer.deallocate()
    vectors.deallocate()
    waiting?.deallocate()
  }

  override func completed(_ completion: RingCompletion) {
    switch socket.completed(completion, source: self) {
    case .received(let count):
      connection.receive(UnsafeRawBufferPointer(start: buffer, count: count))
      work()
    case .endOfStream where completion.operation == StreamSocket.Operation.receive:
      // It may have ended its own side alone, and still read.
      connection.endInput()
      work()
    case .sent(let count):
      connection.sent(count)
      work()
    case .endOfStream, .failed: close()
    case .closed: finish()
    case .connected, .none: break
    }
  }

  override func run() { work() }

  /// Does what can be done: starts requests, sends replies, reads on, or ends.
  private func work() {
    guard !socket.isClosing, !isWorking else { return }
    isWorking = true
    for _ in 0..<Self.requestsPerTurn {
      guard let request = connection.nextRequest() else { break }
      start(request)
    }
    if let error = connection.takeParseError() {
      dispatcher.logger.info("a client sent what is no JSON", metadata: ["error": "\(error)"])
    }
    let isReading = send()
    if !isReading || connection.output.isEmpty && (isDraining || connection.isFinished) {
      close()
    } else if connection.hasMore {
      // In the next turn: others are to have theirs.
      markReady()
    } else if !socket.isReceiving && connection.wantsInput {
      socket.receive(into: buffer, count: Self.bufferByteCount, source: self)
    }
    isWorking = false
    countMemory()
  }

  private func countMemory() {
    let change = (socket.isClosing ? 0 : connection.memoryByteCount) - memoryByteCount
    memoryByteCount += change
    budget.count(clientBytes: change)
  }

  /// A task's way back. It runs on the reactor's thread, by the executor it was given. A client that has gone is not kept.
  private struct Reference: @unchecked Sendable {
    weak var client: RPCClient?
    let budget: RPCBudget
  }

  private func start(_ request: RPCRequest) {
    guard budget.beginCall(byteCount: request.memoryByteCount) else {
      dispatcher.logger.warning(
        "a call is refused: there are too many, or too large ones", metadata: ["calls": "\(budget.callCount)"])
      return connection.reply(to: request.token, .failure(.system(ENOMEM)))
    }
    let reference = Reference(client: self, budget: budget)
    let dispatcher = dispatcher
    let handle = reactor.handle
    // Begins at once: what answers from a snapshot has its reply in the connection before the next request is taken, so
    // that the bound on its output holds.
    Task.immediate(executorPreference: handle) {
      let result = await dispatcher.call(request.method, request.parameters)
      // When the reactor has ended somebody else brings it to its end, and nobody is there to be told.
      guard handle.isCurrentThread else { return }
      reference.budget.endCall(byteCount: request.memoryByteCount)
      reference.client?.take(result, request.token)
    }
  }

  private func take(_ result: Result<RPCResult, RPCError>, _ token: RPCRequest.Token) {
    guard !socket.isClosing else { return }
    connection.reply(to: token, result)
    // Once for all replies of this turn.
    if !isWorking { markReady() }
  }

  /// Sends what there is to send: what the socket takes at once from where it is, the rest by the ring as the client reads.
  ///
  /// - Returns: false when the client does not read any more.
  private func send() -> Bool {
    while !connection.output.isEmpty && !socket.isSending {
      let (event, count) = connection.output.withFront { front in
        for (index, piece) in front.enumerated() {
          vectors[index] = iovec(iov_base: UnsafeMutableRawPointer(mutating: piece.baseAddress), iov_len: piece.count)
        }
        let event = socket.sendNow(vectors: UnsafeMutableRawPointer(vectors), count: front.count)
        return (event, front.reduce(0) { $0 + $1.count })
      }
      switch event {
      case .sent(let sent):
        connection.sent(sent)
        if sent < count { sendWaiting() }
      case .none: sendWaiting()
      default: return false
      }
    }
    return true
  }

  private func sendWaiting() {
    let memory = waiting ?? .allocate(byteCount: Self.waitingByteCount, alignment: 16)
    waiting = memory
    let count = connection.output.withFront { front in
      var count = 0
      for piece in front where count < memory.count {
        let room = UnsafeMutableRawBufferPointer(rebasing: memory[count...])
        let part = piece.prefix(room.count)
        room.copyMemory(from: UnsafeRawBufferPointer(rebasing: part))
        count += part.count
      }
      return count
    }
    vectors[0] = iovec(iov_base: memory.baseAddress, iov_len: count)
    socket.send(vectors: UnsafeMutableRawPointer(vectors), count: 1, source: self)
  }

  /// The daemon ends: what is to be sent is, in the time there is.
  func drain() {
    isDraining = true
    reactor.setDeadline(nowNanoseconds + Self.drainNanoseconds, of: self)
    markReady()
  }

  override func deadlineExpired() { close() }

  /// There is no room for what it has.
  func cutOff() {
    dispatcher.logger.warning(
      "a client is cut off: too much of its requests and replies waits", metadata: ["bytes": "\(memoryByteCount)"])
    close()
  }

  private func close() {
    defer {
      connection = RPCConnection(limits: connection.limits)
      countMemory()
    }
    if socket.beginClose(source: self) { finish() }
  }

  private func finish() {
    retire()
    ended(self)
  }

  override func reactorIsEnding() { close() }
}
