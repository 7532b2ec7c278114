import BlockDevice
import NVMeProtocol
import NVMeTCPProtocol

/// I/O on a TCP queue pair's engine alone: what every command costs below the transport boundary.
final class EngineLoad: Load {
  private let shape: LoadShape
  private let connection: UnsafeMutablePointer<MemoryConnection>
  private let memory: LoadMemory
  private let commands: UnsafeMutablePointer<SubmissionQueueEntry>

  init(_ shape: LoadShape) {
    self.shape = shape
    var configuration = HostQueuePairConfiguration(
      depth: LoadShape.depth, maximumInCapsuleByteCount: LoadShape.inCapsuleByteCount)
    configuration.requestsHeaderDigest = shape.hasDigests
    configuration.requestsDataDigest = shape.hasDigests
    connection = .allocate(capacity: 1)
    connection.initialize(
      to: MemoryConnection(
        configuration: configuration,
        controller: MemoryController(isAdmin: false, hasResponseCapsule: shape.hasResponseCapsule)))
    memory = LoadMemory(shape)
    commands = .allocate(capacity: LoadShape.depth)
    for slot in 0..<LoadShape.depth {
      let lba = UInt64(slot * shape.blockCount)
      (commands + slot).initialize(
        to: shape.operation == .read
          ? .read(namespaceIdentifier: 1, startingLBA: lba, blockCount: shape.blockCount)
          : .write(namespaceIdentifier: 1, startingLBA: lba, blockCount: shape.blockCount))
    }
  }

  deinit {
    connection.deinitialize(count: 1)
    connection.deallocate()
    commands.deallocate()
  }

  func doRound() throws {
    // The first round also initializes the connection.
    if connection.pointee.engine.state == .initializing { try connection.pointee.exchange() }
    for slot in 0..<LoadShape.depth {
      let data = DataSegments(
        vectors: memory.vectors + slot, vectorCount: 1, byteOffset: 0, byteCount: UInt32(shape.byteCount))
      let isSubmitted = connection.pointee.engine.submit(
        commands[slot], data: data, direction: shape.operation == .read ? .controllerToHost : .hostToController,
        context: nil, token: UInt64(slot), deadlineNanoseconds: .max)
      guard isSubmitted else { throw GateError("a command was not taken") }
    }
    try connection.pointee.exchange()
    var count = 0
    while let completion = connection.pointee.engine.popCompletion() {
      guard completion.outcome == .answered, completion.status.isSuccess else {
        throw GateError("a command has failed: \(completion.outcome), \(completion.status)")
      }
      count += 1
    }
    guard count == LoadShape.depth else { throw GateError("\(count) of \(LoadShape.depth) commands have ended") }
  }

  func verify() throws { try memory.verify() }
}
