public import NVMeProtocol
internal import RingReactor

extension Controller {
  /// Which of a controller's queues are meant.
  public enum QueueKind: String, Sendable, Hashable, CaseIterable {
    case admin
    case io
  }

  /// Sends a command on one of the I/O queues. It waits for a place where the queue is full.
  ///
  /// - Parameters:
  ///   - dataOut: what the command sends; empty for none.
  ///   - dataInByteCount: how much it reads, at most 1 GiB; 0 for none. One of the two must be empty.
  /// - Throws: ``ControllerError`` when there is no answer: of what the connection was lost, or why the command was not
  ///   sent. A status that is an error is an answer.
  public func io(
    _ command: SubmissionQueueEntry, dataOut: [UInt8] = [], dataInByteCount: Int = 0
  ) async throws(ControllerError) -> AdminReply {
    try Self.checkData(dataOut, dataInByteCount)
    let result = await withUnsafeContinuation {
      (continuation: UnsafeContinuation<Result<AdminReply, ControllerError>, Never>) in
      guard let queue = ioQueues.first, snapshot.queueCount > 0 else {
        continuation.resume(returning: .failure(absenceReason))
        return
      }
      let isPosted = queue.reactor.post { reactor in
        let command = AdminCommand(tag: 0, command: command, dataOut: dataOut, dataInByteCount: dataInByteCount) {
          continuation.resume(returning: $0)
        }
        PassthroughCommand(reactor: reactor, queue: queue, command: command).start()
      }
      if !isPosted { continuation.resume(returning: .failure(absenceReason)) }
    }
    // Of a connection that was lost before, the queue does not know why it is gone.
    if case .failure(.disconnected) = result { throw absenceReason }
    return try result.get()
  }

  /// What has more than one direction, or no length that fits an SGL descriptor, is nobody's intention.
  static func checkData(_ dataOut: [UInt8], _ dataInByteCount: Int) throws(ControllerError) {
    guard dataOut.isEmpty || dataInByteCount == 0 else {
      throw .invalidCommand("it has data to send and data to read; give one of the two")
    }
    guard dataOut.count <= maximumDataByteCount, (0...maximumDataByteCount).contains(dataInByteCount) else {
      let count = dataOut.isEmpty ? dataInByteCount : dataOut.count
      throw .invalidCommand("it has \(count) bytes of data; give 0 to \(maximumDataByteCount)")
    }
  }

  private static let maximumDataByteCount = 1 << 30

  /// Has commands fail on purpose from now on, on the admin queue or on each I/O queue, for as long as the present
  /// association lasts. One for an opcode that has one replaces it.
  ///
  /// - Throws: ``ControllerError/disconnected`` when there is no queue to do so on.
  public func inject(_ injection: ErrorInjection, into queues: QueueKind) async throws(ControllerError) {
    let isDone = await onQueues(queues, admin: { $0.inject(injection) }, io: { $0.inject(injection) })
    if !isDone { throw .disconnected }
  }

  /// Ends what ``inject(_:into:)`` has begun for an opcode. Commands that are withheld already are still answered late.
  public func removeInjections(opcode: UInt8, from queues: QueueKind) async {
    _ = await onQueues(
      queues,
      admin: {
        $0.removeInjections(opcode: opcode)
        return true
      },
      io: {
        $0.removeInjections(opcode: opcode)
        return true
      })
  }

  private func onQueues(
    _ kind: QueueKind, admin: @escaping @Sendable (ControllerDriver) -> Bool,
    io: @escaping @Sendable (IOQueue) -> Bool
  ) async -> Bool {
    switch kind {
    case .admin:
      return (try? await home.perform { _ in self.recovery.driver.map(admin) ?? false }) ?? false
    case .io:
      var isDone = false
      for queue in ioQueues.prefix(snapshot.queueCount) {
        if (try? await queue.reactor.perform({ _ in io(queue) })) == true { isDone = true }
      }
      return isDone
    }
  }
}
