import NVMeHost
import NVMeProtocol
import Testing

/// A state machine, a scripted controller and a virtual clock. Checks on the way what must always hold.
struct MachineHarness: VirtualClock {
  struct Command {
    var tag: UInt32
    var entry: SubmissionQueueEntry
    var dataOut: [UInt8]
    var dataInByteCount: Int
  }

  var machine: ControllerStateMachine
  var controller = ScriptedController()
  var now: UInt64 = 1_000_000_000
  /// Everything but commands, in order.
  private(set) var reports: [ControllerAction] = []
  /// Names of all commands, in order.
  private(set) var commandNames: [String] = []
  private(set) var commands: [Command] = []
  /// Commands that have not been answered.
  private(set) var held: [Command] = []
  /// Answers in the controller's place; nil: let the model answer.
  var override: ((Int, SubmissionQueueEntry) -> ScriptedController.Answer?)?
  /// What becomes of a queue's connection; nil: it is made.
  var queueError: ((UInt16) -> ControllerError?)?
  var answersQueues = true
  /// Whether there is traffic when it is looked for; nil: the queues do not tell.
  var traffic: Bool?
  var closesQueues = true

  init(_ change: (inout ControllerConfiguration) -> Void = { _ in }) {
    var configuration = ControllerConfiguration(
      subsystemNQN: "nqn.2014-08.org:t", hostNQN: "nqn.2014-08.org:h", hostIdentifier: Identifier128(high: 1, low: 2))
    change(&configuration)
    machine = ControllerStateMachine(configuration: configuration)
  }

  var isClosed: Bool { machine.state == .closed }
  var closedError: ControllerError?? {
    for case .closed(let error) in reports { return .some(error) }
    return nil
  }

  mutating func send(_ event: ControllerEvent) {
    machine.handle(event, nowNanoseconds: now)
    drain()
  }

  mutating func start() { send(.start) }

  var nextDeadlineNanoseconds: UInt64? { machine.nextDeadlineNanoseconds }
  mutating func sendDeadline() { send(.deadline) }

  mutating func answerHeld(_ name: String, _ answer: ScriptedController.Answer) {
    guard let index = held.firstIndex(where: { $0.entry.commandName(onAdminQueue: true) == name }),
      case .reply(let completion, let data) = answer
    else {
      Issue.record("no \(name) is outstanding")
      return
    }
    let command = held.remove(at: index)
    send(.adminCompleted(tag: command.tag, completion, data: data))
  }

  /// As the model would have answered.
  mutating func answerHeld(_ name: String) {
    guard let command = held.first(where: { $0.entry.commandName(onAdminQueue: true) == name }) else {
      Issue.record("no \(name) is outstanding")
      return
    }
    answerHeld(name, controller.answer(command.entry))
  }

  /// Completes an Asynchronous Event Request.
  mutating func raise(_ event: AsynchronousEvent) {
    answerHeld("Asynchronous Event Request", .result(UInt64(event.rawValue)))
  }

  func count(of name: String) -> Int { commandNames.count { $0 == name } }

  mutating func clearReports() { reports = [] }

  private mutating func drain() {
    while let action = machine.nextAction() {
      #expect(closedError == nil, "\(action) after closed")
      switch action {
      case .submitAdmin(let tag, let entry, let dataOut, let dataInByteCount):
        #expect(dataOut.isEmpty || dataInByteCount == 0)
        let command = Command(tag: tag, entry: entry, dataOut: dataOut, dataInByteCount: dataInByteCount)
        #expect(!commands.contains { $0.tag == tag }, "tag \(tag) twice")
        commands.append(command)
        commandNames.append(entry.commandName(onAdminQueue: true))
        switch override?(commands.count - 1, entry) ?? controller.answer(entry) {
        case .hold: held.append(command)
        case .reply(let completion, let data):
          machine.handle(.adminCompleted(tag: tag, completion, data: data), nowNanoseconds: now)
        }
      case .connectQueue(let identifier, _, _):
        reports.append(action)
        guard answersQueues else { break }
        if let error = queueError?(identifier) {
          machine.handle(.queueFailed(identifier: identifier, error), nowNanoseconds: now)
        } else {
          machine.handle(.queueConnected(identifier: identifier, controllerIdentifier: 7), nowNanoseconds: now)
        }
      case .lookForTraffic:
        if let traffic { machine.handle(.traffic(traffic), nowNanoseconds: now) }
      case .closeQueues:
        #expect(!reports.contains(.closeQueues), "queues closed twice")
        reports.append(action)
        held = []
        if closesQueues { machine.handle(.queuesClosed, nowNanoseconds: now) }
      default:
        reports.append(action)
      }
    }
  }
}
