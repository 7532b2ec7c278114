internal import NVMeProtocol
internal import RingReactor

/// Brings one queue up on its reactor: the transport's connection, then Fabrics Connect on it; and reports its end.
final class FabricsQueue: CompletionSink {
  enum Report: Sendable {
    case connected(controllerIdentifier: UInt16)
    /// It could not be brought up, or was lost. `closed` follows.
    case failed(ControllerError)
    case closed
    /// Commands with these identifiers have not been answered in time.
    case timedOut([UInt16])
  }

  private enum Phase {
    case connecting
    case awaitingConnectResponse
    case connected
    case closing
  }

  /// Everything a queue needs to know, in a form that can travel to its reactor.
  struct Plan: Sendable {
    var transport: any Transport
    var configuration: ControllerConfiguration
    var queueIdentifier: UInt16
    var entries: UInt16
    var controllerIdentifier: UInt16
    var maximumInCapsuleByteCount: Int

    var connectTimeoutMilliseconds: UInt32 {
      configuration.fabricsConnectTimeoutMilliseconds ?? configuration.connectTimeoutMilliseconds
    }
  }

  private var queuePair: QueuePair?
  /// Stands before the queue pair while errors are injected.
  private var injector: ErrorInjectingQueuePair?
  /// What commands are to be submitted to.
  var front: QueuePair? { injector ?? queuePair }
  /// See ``QueuePair/pinnedTransport``.
  var pinnedTransport: (any Transport)? { queuePair?.pinnedTransport }
  private let plan: Plan
  private let report: (Report) -> Void
  private var phase = Phase.connecting
  /// Told when no command is under way any more; nil while nobody waits for that.
  private var isDrained: (() -> Void)?
  private let connectData: UnsafeMutableRawBufferPointer
  private let connectVector: UnsafeMutablePointer<IOVector>

  init(reactor: Reactor, plan: Plan, report: @escaping (Report) -> Void) {
    self.plan = plan
    self.report = report
    let bytes = ConnectData(
      hostIdentifier: plan.configuration.hostIdentifier,
      controllerIdentifier: plan.controllerIdentifier, subsystemNQN: plan.configuration.subsystemNQN,
      hostNQN: plan.configuration.hostNQN
    ).encode()
    connectData = .allocate(byteCount: bytes.count, alignment: 8)
    connectData.copyBytes(from: bytes)
    connectVector = .allocate(capacity: 1)
    connectVector.initialize(to: IOVector(connectData))
    super.init(reactor: reactor)
    // Asynchronous event requests wait for ever: the controller's logic watches over the admin queue's commands.
    let isTimed = plan.queueIdentifier > 0 && plan.configuration.timeoutAction != .none
    var parameters = QueuePairParameters(
      queueIdentifier: plan.queueIdentifier, depth: Int(plan.entries) - 1,
      maximumInCapsuleByteCount: plan.maximumInCapsuleByteCount,
      connectTimeoutMilliseconds: plan.configuration.connectTimeoutMilliseconds,
      commandTimeoutMilliseconds: isTimed ? plan.configuration.ioTimeoutMilliseconds : 0)
    parameters.abortsTimedOutCommands = plan.configuration.timeoutAction == .abort
    queuePair = plan.transport.makeQueuePair(on: reactor, owner: self, parameters: parameters)
  }

  deinit {
    connectData.deallocate()
    connectVector.deallocate()
  }

  /// Takes the queue down, at any time; `closed` is reported when that is done.
  func close() {
    phase = .closing
    queuePair?.close()
  }

  /// Tells when no command is under way any more; whoever calls sees to it that none is submitted meanwhile.
  func drain(_ isDrained: @escaping () -> Void) {
    self.isDrained = isDrained
    lookWhetherDrained()
  }

  private func lookWhetherDrained() {
    guard phase == .connected, let queuePair, let isDrained else { return }
    if queuePair.freeCommandCount == queuePair.parameters.depth {
      self.isDrained = nil
      isDrained()
    } else {
      queuePair.waitForCapacity(self)
    }
  }

  /// Has commands fail from now on; false when there is no connection to do so on.
  func inject(_ injection: ErrorInjection) -> Bool {
    guard phase == .connected, let queuePair else { return false }
    let injector = injector ?? ErrorInjectingQueuePair(before: queuePair, owner: self)
    self.injector = injector
    injector.add(injection)
    return true
  }

  func removeInjections(opcode: UInt8) { injector?.removeInjections(opcode: opcode) }

  override func run() {
    guard let queuePair else { return }
    switch queuePair.state {
    case .connecting, .closing:
      break
    case .connected:
      if phase == .connecting { sendConnect(queuePair) }
      let late = queuePair.takeTimedOutCommands()
      if phase == .connected && !late.isEmpty { report(.timedOut(late)) }
      lookWhetherDrained()
    case .closed(let error):
      if let error, phase != .closing {
        phase = .closing
        report(.failed(.transport(queueIdentifier: plan.queueIdentifier, error)))
      }
      reactor.setDeadline(nil, of: self)
      injector?.end()
      injector = nil
      isDrained = nil
      self.queuePair = nil
      report(.closed)
      retire()
    }
  }

  private func sendConnect(_ queuePair: QueuePair) {
    phase = .awaitingConnectResponse
    reactor.setDeadline(
      reactor.nowNanoseconds + UInt64(plan.connectTimeoutMilliseconds) * 1_000_000, of: self)
    let isAdmin = plan.queueIdentifier == 0
    let command = SubmissionQueueEntry.fabricsConnect(
      queueIdentifier: plan.queueIdentifier, entries: plan.entries,
      disableSubmissionQueueFlowControl: plan.configuration.disablesSubmissionQueueFlowControl,
      keepAliveTimeoutMilliseconds: isAdmin ? plan.configuration.keepAliveTimeoutMilliseconds : 0)
    let data = DataSegments(
      vectors: connectVector, vectorCount: 1, byteOffset: 0, byteCount: UInt32(connectData.count))
    let isSubmitted = queuePair.submit(
      command, data: data, direction: .hostToController, sink: .passUnretained(self), token: 0)
    if !isSubmitted { queuePair.close() }
  }

  override func complete(_ completion: CommandCompletion) {
    guard phase == .awaitingConnectResponse else { return }
    switch completion.outcome {
    case .answered, .dataDigestError, .shortData: break
    // The queue pair closes, and says why.
    case .connectionLost, .notSent: return
    }
    reactor.setDeadline(nil, of: self)
    let result = UInt32(truncatingIfNeeded: completion.result)
    let response = ConnectResponse(CompletionQueueEntry(status: completion.status, dword0: result))
    if case .connected(let controllerIdentifier, authenticationRequired: false) = response {
      phase = .connected
      report(.connected(controllerIdentifier: controllerIdentifier))
      return
    }
    phase = .closing
    // A controller that wants authentication accepts the connection, and answers nothing else before.
    report(
      .failed(
        .connectRefused(
          queueIdentifier: plan.queueIdentifier,
          completion.status.isSuccess ? .authenticationRequired : completion.status, result: result,
          subsystemNQN: plan.configuration.subsystemNQN, hostNQN: plan.configuration.hostNQN)))
    queuePair?.close()
  }

  override func deadlineExpired() {
    guard phase == .awaitingConnectResponse else { return }
    phase = .closing
    report(
      .failed(
        .transport(
          queueIdentifier: plan.queueIdentifier,
          TransportError(
            .timedOut,
            "\(plan.transport.description): Fabrics Connect was not answered within "
              + "\(plan.connectTimeoutMilliseconds) ms"))))
    queuePair?.close()
  }
}
