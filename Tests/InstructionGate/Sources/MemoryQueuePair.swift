import BlockDevice
import NVMeTCPProtocol

/// What `TCPQueuePair` is, with a controller in memory where that one has a socket: once a turn the engine's output goes
/// there and the answers come back, and the commands' ends go to their sinks when the turn's output is done.
final class MemoryQueuePair: QueuePair {
  private struct State: ~Copyable {
    var connection: MemoryConnection
    var isDirty = true
    var isClosing = false
  }

  private let storage: UnsafeMutablePointer<State>

  init(reactor: Reactor, owner: ReactorSource, parameters: QueuePairParameters, controllerIdentifier: UInt16) {
    let configuration = HostQueuePairConfiguration(
      depth: parameters.depth, maximumInCapsuleByteCount: parameters.maximumInCapsuleByteCount)
    storage = .allocate(capacity: 1)
    storage.initialize(
      to: State(
        connection: MemoryConnection(
          configuration: configuration,
          controller: MemoryController(
            isAdmin: parameters.queueIdentifier == 0, controllerIdentifier: controllerIdentifier))))
    super.init(reactor: reactor, owner: owner, parameters: parameters)
    reactor.markDirty(self)
  }

  deinit {
    storage.deinitialize(count: 1)
    storage.deallocate()
  }

  override var freeCommandCount: Int {
    state == .connected ? storage.pointee.connection.engine.freeSlotCount : 0
  }

  override func submit(
    _ command: SubmissionQueueEntry, data: DataSegments, direction: DataDirection,
    sink: Unmanaged<CompletionSink>, token: UInt64
  ) -> Bool {
    guard
      storage.pointee.connection.engine.submit(
        command, data: data, direction: direction, context: sink.toOpaque(), token: token, deadlineNanoseconds: .max)
    else { return false }
    if !storage.pointee.isDirty {
      storage.pointee.isDirty = true
      reactor.markDirty(self)
    }
    return true
  }

  override func flush() {
    storage.pointee.isDirty = false
    do { try storage.pointee.connection.exchange() } catch { preconditionFailure("\(error)") }
    if state == .connecting { transition(to: .connected) }
    if storage.pointee.connection.engine.hasCompletions { reactor.markReady(self) }
  }

  override func run() {
    while let completion = storage.pointee.connection.engine.popCompletion() {
      Unmanaged<CompletionSink>.fromOpaque(completion.context!)._withUnsafeGuaranteedRef { $0.complete(completion) }
    }
    guard storage.pointee.isClosing, state != .closed(nil) else { return notifyCapacityWaiters() }
    storage.pointee.connection.engine.failAll()
    while let completion = storage.pointee.connection.engine.popCompletion() {
      Unmanaged<CompletionSink>.fromOpaque(completion.context!)._withUnsafeGuaranteedRef { $0.complete(completion) }
    }
    transition(to: .closed(nil))
    retire()
  }

  override func close() {
    storage.pointee.isClosing = true
    reactor.markReady(self)
  }
}
