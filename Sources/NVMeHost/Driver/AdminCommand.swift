internal import NVMeProtocol

/// An admin command under way, with its memory.
final class AdminCommand {
  let tag: UInt32
  let command: SubmissionQueueEntry
  let direction: DataDirection
  /// For a command of a user's; nil for the state machine's own.
  let reply: ((Result<AdminReply, ControllerError>) -> Void)?
  /// When a user's command has taken too long, nanoseconds of the monotonic clock. The state machine watches its own.
  var deadlineNanoseconds: UInt64 = .max
  private let memory: UnsafeMutableRawBufferPointer
  private let vector: UnsafeMutablePointer<IOVector>

  init(
    tag: UInt32, command: SubmissionQueueEntry, dataOut: [UInt8], dataInByteCount: Int,
    reply: ((Result<AdminReply, ControllerError>) -> Void)?
  ) {
    self.tag = tag
    self.command = command
    self.reply = reply
    memory = .allocate(byteCount: max(dataOut.count, dataInByteCount), alignment: 8)
    if dataOut.isEmpty {
      direction = dataInByteCount > 0 ? .controllerToHost : .none
      memory.initializeMemory(as: UInt8.self, repeating: 0)
    } else {
      direction = .hostToController
      memory.copyBytes(from: dataOut)
    }
    vector = .allocate(capacity: 1)
    vector.initialize(to: IOVector(memory))
  }

  deinit {
    memory.deallocate()
    vector.deallocate()
  }

  var segments: DataSegments {
    memory.isEmpty
      ? .none : DataSegments(vectors: vector, vectorCount: 1, byteOffset: 0, byteCount: UInt32(memory.count))
  }

  /// What has been read.
  var dataIn: [UInt8] { direction == .controllerToHost ? [UInt8](memory) : [] }
}
