internal import NVMeProtocol
internal import RingReactor

/// Stands before a queue pair and has some of its commands fail. Where no errors are injected there is none, and the way
/// of a command is as short as ever.
///
/// It has no state of its own: its owner looks at the queue pair behind it, and ends it when that is closed.
final class ErrorInjectingQueuePair: QueuePair {
  private struct Pending {
    var sink: Unmanaged<CompletionSink>
    var token: UInt64
    var status: StatusField
    /// When it is answered; nil: when the controller has.
    var answerNanoseconds: UInt64?
  }

  private let behind: QueuePair
  private let teller: CompletionTeller
  private var injections: [ErrorInjection] = []
  private var pending: [UInt64: Pending] = [:]
  private var nextToken: UInt64 = 0
  private var isEnded = false

  init(before behind: QueuePair, owner: ReactorSource) {
    self.behind = behind
    teller = CompletionTeller(reactor: behind.reactor)
    super.init(reactor: behind.reactor, owner: owner, parameters: behind.parameters)
    teller.queuePair = self
  }

  /// One for an opcode that has one replaces it.
  func add(_ injection: ErrorInjection) {
    removeInjections(opcode: injection.opcode)
    injections.append(injection)
  }

  /// Commands that are withheld already are still answered as they would have been.
  func removeInjections(opcode: UInt8) { injections.removeAll { $0.opcode == opcode } }

  override var freeCommandCount: Int { behind.freeCommandCount }
  override func takeTraffic() -> Bool { behind.takeTraffic() }
  override var failure: TransportError? { behind.failure }
  override func close() { behind.close() }

  override func submit(
    _ command: SubmissionQueueEntry, data: DataSegments, direction: DataDirection,
    sink: Unmanaged<CompletionSink>, token: UInt64
  ) -> Bool {
    guard !isEnded else { return false }
    guard let index = injections.firstIndex(where: { $0.opcode == command.opcode && $0.count > 0 }) else {
      return pass(command, data, direction, sink, token)
    }
    let injection = injections[index]
    var entry = Pending(sink: sink, token: token, status: injection.status)
    if injection.isWithheld {
      let (nanoseconds, overflow) = injection.delayMicroseconds.multipliedReportingOverflow(by: 1000)
      let now = reactor.readClock()
      let (time, isLate) = now.addingReportingOverflow(overflow ? .max : nanoseconds)
      entry.answerNanoseconds = isLate ? .max : time
      pending[nextToken] = entry
      keepTime()
    } else {
      guard pass(command, data, direction, .passUnretained(teller), nextToken) else { return false }
      pending[nextToken] = entry
    }
    nextToken += 1
    injections[index].count -= 1
    return true
  }

  private func pass(
    _ command: SubmissionQueueEntry, _ data: DataSegments, _ direction: DataDirection,
    _ sink: Unmanaged<CompletionSink>, _ token: UInt64
  ) -> Bool {
    if behind.submit(command, data: data, direction: direction, sink: sink, token: token) { return true }
    // Whoever waits for capacity waits here.
    behind.waitForCapacity(self)
    return false
  }

  /// The queue pair behind has capacity again.
  override func run() { notifyCapacityWaiters() }

  /// A command that was sent has been answered, or lost.
  func complete(_ completion: CommandCompletion) {
    guard let entry = pending.removeValue(forKey: completion.token) else { return }
    var completion = completion
    completion.token = entry.token
    if completion.outcome == .answered { completion.status = entry.status }
    entry.sink._withUnsafeGuaranteedRef { $0.complete(completion) }
  }

  // MARK: Commands that are withheld

  private func keepTime() {
    reactor.setDeadline(
      pending.values.compactMap(\.answerNanoseconds).min().flatMap { $0 == .max ? nil : $0 }, of: self)
  }

  override func deadlineExpired() {
    let now = reactor.readClock()
    answer(.answered) { $0 <= now }
    keepTime()
  }

  private func answer(_ outcome: CommandOutcome, where isDue: (UInt64) -> Bool) {
    for token in pending.keys.sorted() {
      guard let entry = pending[token], let time = entry.answerNanoseconds, isDue(time) else { continue }
      pending[token] = nil
      let completion = CommandCompletion(
        context: nil, token: entry.token, result: 0, status: entry.status, outcome: outcome)
      entry.sink._withUnsafeGuaranteedRef { $0.complete(completion) }
    }
  }

  override func reactorIsEnding() { answer(.notSent) { _ in true } }

  /// The queue pair behind is closed, and has told all its commands' ends.
  func end() {
    guard !isEnded else { return }
    isEnded = true
    answer(.notSent) { _ in true }
    reactor.setDeadline(nil, of: self)
    notifyCapacityWaiters()
    teller.queuePair = nil
    teller.retire()
    retire()
  }
}

/// Takes the ends of commands for an ``ErrorInjectingQueuePair``, which is no sink itself.
private final class CompletionTeller: CompletionSink {
  weak var queuePair: ErrorInjectingQueuePair?

  override func complete(_ completion: CommandCompletion) { queuePair?.complete(completion) }
}
