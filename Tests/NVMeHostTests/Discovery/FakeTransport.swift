import NVMeHost
import NVMeProtocol
import RingReactor

/// Discovery services by address, without a network.
struct FakeTransport: Transport {
  var target: TargetIdentifier
  /// Nothing listens at other addresses.
  var services: [String: [DiscoveryLogEntry]]

  var description: String { target.hostAndPort }

  func makeQueuePair(on reactor: Reactor, owner: ReactorSource, parameters: QueuePairParameters) -> QueuePair {
    FakeQueuePair(reactor: reactor, owner: owner, parameters: parameters, log: services[target.host])
  }
}

/// Answers commands out of a `ScriptedController`, a turn later.
final class FakeQueuePair: QueuePair {
  private struct Command {
    var entry: SubmissionQueueEntry
    var data: DataSegments
    var direction: DataDirection
    var sink: Unmanaged<CompletionSink>
    var token: UInt64
  }

  private var controller = ScriptedController()
  private let log: [DiscoveryLogEntry]?
  private var waiting: [Command] = []
  private var held: [Command] = []
  private var isClosing = false

  init(reactor: Reactor, owner: ReactorSource, parameters: QueuePairParameters, log: [DiscoveryLogEntry]?) {
    self.log = log
    controller.identify.controllerType = 2
    controller.pollsUntilShutDown = 1
    super.init(reactor: reactor, owner: owner, parameters: parameters)
    reactor.markReady(self)
  }

  override var freeCommandCount: Int { parameters.depth - waiting.count - held.count }

  override func submit(
    _ command: SubmissionQueueEntry, data: DataSegments, direction: DataDirection,
    sink: Unmanaged<CompletionSink>, token: UInt64
  ) -> Bool {
    guard state == .connected, freeCommandCount > 0 else { return false }
    waiting.append(Command(entry: command, data: data, direction: direction, sink: sink, token: token))
    reactor.markReady(self)
    return true
  }

  override func close() {
    isClosing = true
    reactor.markReady(self)
  }

  override func run() {
    if isClosing {
      let lost = held + waiting
      held = []
      waiting = []
      for command in lost { end(command, CompletionQueueEntry(), .connectionLost) }
      transition(to: .closed(nil))
      retire()
      return
    }
    if state == .connecting {
      guard log != nil else {
        transition(to: .closed(TransportError(.connect, "nobody listens")))
        retire()
        return
      }
      transition(to: .connected)
    }
    let commands = waiting
    waiting = []
    for command in commands { answer(command) }
  }

  private func answer(_ command: Command) {
    if command.entry.fabricsCommandType == .connect {
      end(command, CompletionQueueEntry(dword0: 7), .answered)
      return
    }
    if command.entry.opcode == AdminOpcode.getLogPage.rawValue {
      let log = DiscoveryTests.Log(entries: log ?? [])
      let data = log.serve(command.entry, byteCount: Int(command.data.byteCount))
      end(command, CompletionQueueEntry(), .answered, data)
      return
    }
    switch controller.answer(command.entry) {
    case .hold: held.append(command)
    case .reply(let completion, let data): end(command, completion, .answered, data)
    }
  }

  private func end(
    _ command: Command, _ completion: CompletionQueueEntry, _ outcome: CommandOutcome, _ data: [UInt8] = []
  ) {
    if command.direction == .controllerToHost {
      var offset = 0
      command.data.forEachPiece(offset: 0, count: min(data.count, Int(command.data.byteCount))) { base, count in
        base.copyMemory(from: Array(data[offset..<offset + count]), byteCount: count)
        offset += count
      }
    }
    command.sink._withUnsafeGuaranteedRef {
      $0.complete(
        CommandCompletion(
          context: nil, token: command.token, result: completion.result, status: completion.status, outcome: outcome))
    }
  }
}
