import BlockDevice

/// A transport whose I/O queues answer every command at the next opportunity with success, without moving anything: what
/// is left is the channel. The admin queue is a real one, to a real target.
struct InstantTransport: Transport {
  var admin: TCPTransport

  var description: String { "instant transport, admin queue by \(admin)" }

  func makeQueuePair(on reactor: Reactor, owner: ReactorSource, parameters: QueuePairParameters) -> QueuePair {
    if parameters.queueIdentifier == 0 {
      return admin.makeQueuePair(on: reactor, owner: owner, parameters: parameters)
    }
    return InstantQueuePair(reactor: reactor, owner: owner, parameters: parameters)
  }
}

private final class InstantQueuePair: QueuePair {
  private struct State {
    var count = 0
    var completions: UnsafeMutablePointer<CommandCompletion>
    var isClosing = false
  }

  private let storage: UnsafeMutablePointer<State>

  override init(reactor: Reactor, owner: ReactorSource, parameters: QueuePairParameters) {
    storage = .allocate(capacity: 1)
    storage.initialize(to: State(completions: .allocate(capacity: parameters.depth)))
    super.init(reactor: reactor, owner: owner, parameters: parameters)
    reactor.markReady(self)
  }

  deinit {
    storage.pointee.completions.deallocate()
    storage.deallocate()
  }

  override var freeCommandCount: Int { state == .connected ? parameters.depth - storage.pointee.count : 0 }

  override func submit(
    _ command: SubmissionQueueEntry, data: DataSegments, direction: DataDirection,
    sink: Unmanaged<CompletionSink>, token: UInt64
  ) -> Bool {
    guard freeCommandCount > 0 else { return false }
    var result: UInt64 = 0
    if command.opcode == 0x7F, let bytes = data.vectors?.pointee.base {
      // Connect (NVMe Base 2.1, section 6.3): the response names the controller, whose CNTLID is in the data.
      result = UInt64(UInt16(littleEndian: bytes.loadUnaligned(fromByteOffset: 16, as: UInt16.self)))
    }
    (storage.pointee.completions + storage.pointee.count).initialize(
      to: CommandCompletion(
        context: sink.toOpaque(), token: token, result: result, status: .success, outcome: .answered))
    storage.pointee.count += 1
    reactor.markReady(self)
    return true
  }

  override func run() {
    if state == .connecting { transition(to: .connected) }
    // Sinks may submit again: those commands wait for the next round.
    let count = storage.pointee.count
    for index in 0..<count {
      let completion = storage.pointee.completions[index]
      Unmanaged<CompletionSink>.fromOpaque(completion.context!)._withUnsafeGuaranteedRef { $0.complete(completion) }
    }
    let left = storage.pointee.count - count
    storage.pointee.completions.update(from: storage.pointee.completions + count, count: left)
    storage.pointee.count = left
    notifyCapacityWaiters()
    if storage.pointee.isClosing, state != .closed(nil) {
      transition(to: .closed(nil))
      retire()
    }
  }

  override func close() {
    storage.pointee.isClosing = true
    reactor.markReady(self)
  }
}
