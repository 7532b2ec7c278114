internal import NVMeProtocol
internal import RingReactor

/// A command of a user's on an I/O queue, with its memory: it waits for a place in the queue, and lives until its end.
final class PassthroughCommand: CompletionSink {
  private let queue: IOQueue
  private let command: AdminCommand
  private let direction: DataDirection
  private var reply: ((Result<AdminReply, ControllerError>) -> Void)?

  /// Call on the reactor's thread of the queue; ``start()`` follows.
  init(reactor: Reactor, queue: IOQueue, command: AdminCommand) {
    self.queue = queue
    self.command = command
    reply = command.reply
    direction = command.direction
    super.init(reactor: reactor)
  }

  func start() {
    guard let queuePair = queue.queuePair else {
      end(.failure(.disconnected))
      return
    }
    queuePair._withUnsafeGuaranteedRef { queuePair in
      let isSubmitted = queuePair.submit(
        command.command, data: command.segments, direction: direction, sink: .passUnretained(self), token: 0)
      if !isSubmitted { queuePair.waitForCapacity(self) }
    }
  }

  /// The queue has room again, or is gone.
  override func run() { if reply != nil { start() } }

  override func complete(_ completion: CommandCompletion) {
    switch completion.outcome {
    case .answered, .dataDigestError, .shortData:
      let entry = CompletionQueueEntry(
        status: completion.status, dword0: UInt32(truncatingIfNeeded: completion.result),
        dword1: UInt32(truncatingIfNeeded: completion.result >> 32))
      end(.success(AdminReply(completion: entry, data: command.dataIn)))
    case .connectionLost, .notSent:
      let failure = queue.queuePair.flatMap { $0._withUnsafeGuaranteedRef { $0.failure } }
      end(.failure(failure.map { .transport(queueIdentifier: queue.identifier, $0) } ?? .disconnected))
    }
  }

  private func end(_ result: Result<AdminReply, ControllerError>) {
    reply?(result)
    reply = nil
    retire()
  }

  override func reactorIsEnding() {
    reply?(.failure(.disconnected))
    reply = nil
  }
}
