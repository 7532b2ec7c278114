import NVMeHost
import NVMeProtocol

/// A controller that answers a state machine's commands out of a model, with one place to make it misbehave.
struct ScriptedController {
  enum Answer {
    case reply(CompletionQueueEntry, [UInt8] = [])
    /// Never, or when the test says so.
    case hold

    static func status(_ status: StatusField) -> Answer { .reply(CompletionQueueEntry(status: status)) }
    static func data(_ bytes: [UInt8]) -> Answer { .reply(CompletionQueueEntry(), bytes) }
    static func result(_ value: UInt64) -> Answer {
      .reply(CompletionQueueEntry(dword0: UInt32(truncatingIfNeeded: value), dword1: UInt32(value >> 32)))
    }
  }

  var capabilities = ControllerCapabilities(maximumQueueEntries: 1024, timeoutMilliseconds: 5000, commandSets: 0x41)
  /// CNS 06h; nil refuses it.
  var commandSetLimits: NVMCommandSetController?
  var identify = ScriptedController.identification()
  var namespaces: [UInt32: IdentifyNamespace] = [1: IdentifyNamespace(blocks: 2048, dataSizeExponent: 9)]
  var uuids: [UInt32: Identifier128] = [:]
  var changed = ChangedNamespaceList()
  var ana = ANALog()
  var grantedQueues = 8
  /// Polls of CSTS before it is ready; nil: never.
  var pollsUntilReady: Int? = 0
  var pollsUntilShutDown: Int? = 0
  var fatal = false
  /// Bits of the asynchronous event configuration that are refused.
  var refusedEvents: UInt32 = 0
  private(set) var configuredEvents: UInt32 = 0
  private(set) var configurationRegister: UInt32 = 0

  /// The smallest page is 4096 << this (CAP.MPSMIN).
  mutating func setMinimumPageExponent(_ exponent: UInt8) {
    capabilities = ControllerCapabilities(
      rawValue: capabilities.rawValue | UInt64(exponent) << 48 | UInt64(exponent) << 52)
  }

  static func identification() -> IdentifyController {
    var identify = IdentifyController()
    identify.controllerIdentifier = 7
    identify.controllerType = 1
    identify.asynchronousEventRequestLimit = 3
    identify.optionalAsynchronousEvents = [.namespaceAttribute, .anaChange]
    identify.logPageAttributes = 1 << 2
    identify.ioCommandCapsuleSize = 64 / 16 + 8192 / 16
    identify.ioResponseCapsuleSize = 1
    identify.submissionQueueEntrySize = 0x66
    identify.completionQueueEntrySize = 0x44
    identify.sglSupport = 1
    identify.namespaceCount = 1024
    identify.keepAliveSupport = 10
    return identify
  }

  mutating func answer(_ command: SubmissionQueueEntry) -> Answer {
    if let type = command.fabricsCommandType { return answerFabrics(type, command) }
    switch AdminOpcode(rawValue: command.opcode) {
    case .identify: return answerIdentify(command)
    case .getLogPage: return answerLog(command)
    case .setFeatures:
      switch FeatureIdentifier(rawValue: UInt8(truncatingIfNeeded: command.cdw10)) {
      case .numberOfQueues:
        let queues = NumberOfQueues(submissionQueues: grantedQueues, completionQueues: grantedQueues)
        return .result(UInt64(queues.rawValue))
      case .asynchronousEventConfiguration:
        if command.cdw11 & refusedEvents != 0 { return .status(.invalidFieldInCommand) }
        configuredEvents = command.cdw11
        return .result(0)
      default: return .status(.invalidFieldInCommand)
      }
    case .keepAlive: return .result(0)
    case .asynchronousEventRequest: return .hold
    default: return .status(.invalidCommandOpcode)
    }
  }

  private mutating func answerFabrics(_ type: FabricsCommandType, _ command: SubmissionQueueEntry) -> Answer {
    switch (type, command.propertyFields.offset) {
    case (.propertyGet, ControllerProperty.controllerCapabilities.offset): return .result(capabilities.rawValue)
    case (.propertyGet, ControllerProperty.version.offset): return .result(0x0002_0100)
    case (.propertySet, ControllerProperty.controllerConfiguration.offset):
      configurationRegister = UInt32(truncatingIfNeeded: command.propertyFields.value)
      return .result(0)
    case (.propertyGet, ControllerProperty.controllerStatus.offset):
      var status = ControllerStatus(ready: false, fatal: fatal)
      if configurationRegister & 0xC000 != 0 {
        let isComplete = pollsUntilShutDown == 0
        pollsUntilShutDown = pollsUntilShutDown.map { max(0, $0 - 1) }
        status = ControllerStatus(ready: true, fatal: fatal, shutdown: isComplete ? .complete : .occurring)
      } else {
        status = ControllerStatus(ready: pollsUntilReady == 0, fatal: fatal)
        pollsUntilReady = pollsUntilReady.map { max(0, $0 - 1) }
      }
      return .result(UInt64(status.rawValue))
    default: return .status(.invalidFieldInCommand)
    }
  }

  private func answerIdentify(_ command: SubmissionQueueEntry) -> Answer {
    let namespace = command.namespaceIdentifier
    switch IdentifyStructure(rawValue: UInt8(truncatingIfNeeded: command.cdw10)) {
    case .controller: return .data(identify.encode())
    case .commandSetController:
      guard let commandSetLimits else { return .status(.invalidFieldInCommand) }
      return .data(commandSetLimits.encode())
    case .activeNamespaceList:
      let following = namespaces.keys.filter { $0 > namespace }.sorted()
      return .data(NamespaceIdentifierList(Array(following.prefix(1024))).encode())
    case .namespace:
      guard let found = namespaces[namespace] else { return .status(.invalidNamespaceOrFormat) }
      return .data(found.encode())
    case .namespaceDescriptors:
      guard namespaces[namespace] != nil else { return .status(.invalidNamespaceOrFormat) }
      return .data(NamespaceDescriptorList(uuid: uuids[namespace], commandSet: .nvm).encode())
    default: return .status(.invalidFieldInCommand)
    }
  }

  private func answerLog(_ command: SubmissionQueueEntry) -> Answer {
    let byteCount = (Int(command.cdw10 >> 16) | Int(command.cdw11 & 0xFFFF) << 16) * 4 + 4
    let offset = Int(command.cdw12)
    var log: [UInt8]
    switch LogPageIdentifier(rawValue: UInt8(truncatingIfNeeded: command.cdw10)) {
    case .changedNamespaceList: log = changed.encode()
    case .asymmetricNamespaceAccess: log = ana.encode()
    case .errorInformation, .smartHealth: log = [UInt8](repeating: 0, count: 512)
    default: return .status(.invalidLogPage)
    }
    // Behind its end there is nothing to be read, as SPDK's target and Linux's nvme-cli have it.
    guard offset < log.count else { return .status(.invalidFieldInCommand) }
    log += [UInt8](repeating: 0, count: max(0, offset + byteCount - log.count))
    return .data(Array(log[offset..<offset + byteCount]))
  }
}
