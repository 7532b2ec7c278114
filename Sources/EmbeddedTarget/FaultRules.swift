internal import NVMeProtocol

/// The faults that are to be shown at present, and how often each has been.
struct FaultRules {
  private struct ActiveRule {
    var identifier: UInt64
    var rule: FaultRule
    var matches: UInt64 = 0
    var actions: UInt64 = 0
  }

  private var rules: [ActiveRule] = []
  private var nextIdentifier: UInt64 = 1
  private var generator: SeededGenerator

  /// - Parameter seed: of the generator that probabilities are drawn from.
  init(seed: UInt64) { generator = SeededGenerator(seed: seed) }

  var isEmpty: Bool { rules.isEmpty }

  /// - Returns: the rule's name for ``remove(_:)`` and ``count(of:)``.
  mutating func add(_ rule: FaultRule) -> UInt64 {
    let identifier = nextIdentifier
    nextIdentifier += 1
    rules.append(ActiveRule(identifier: identifier, rule: rule))
    return identifier
  }

  mutating func remove(_ identifier: UInt64) { rules.removeAll { $0.identifier == identifier } }

  mutating func removeAll() { rules = [] }

  /// How often a rule has acted; 0 for one that is not there.
  func count(of identifier: UInt64) -> UInt64 { rules.first { $0.identifier == identifier }?.actions ?? 0 }

  /// The actions of all rules that match an event, in the order they were added.
  mutating func actions(
    at trigger: FaultRule.Trigger, port: UInt16, subsystem: String? = nil, command: SubmissionQueueEntry? = nil
  ) -> [FaultRule.Action] {
    var actions: [FaultRule.Action] = []
    for position in rules.indices {
      let rule = rules[position].rule
      guard Self.matches(rule.trigger, trigger), rule.subsystemNQN == nil || rule.subsystemNQN == subsystem else {
        continue
      }
      if let identifier = rule.portIdentifier, port != identifier { continue }
      if let identifier = rule.namespaceIdentifier, command?.namespaceIdentifier != identifier { continue }
      if let blocks = rule.blocks {
        guard let command, case .ioCommand = trigger else { continue }
        let last = command.startingLBA.addingReportingOverflow(UInt64(command.blockCount - 1))
        guard !last.overflow, command.startingLBA <= blocks.upperBound, last.partialValue >= blocks.lowerBound else {
          continue
        }
      }
      if rule.probability < 1, Double.random(in: 0..<1, using: &generator) >= rule.probability { continue }
      rules[position].matches += 1
      guard rules[position].matches > rule.skipCount, rules[position].actions < rule.count ?? .max else { continue }
      rules[position].actions += 1
      actions.append(rule.action)
    }
    return actions
  }

  private static func matches(_ rule: FaultRule.Trigger, _ event: FaultRule.Trigger) -> Bool {
    switch (rule, event) {
    case (.connection, .connection), (.initialization, .initialization): true
    case (.adminCommand(let wanted), .adminCommand(let opcode)): wanted == nil || wanted == opcode
    case (.adminCommand(let wanted), .fabricsCommand): wanted == nil || wanted == AdminOpcode.fabrics.rawValue
    case (.ioCommand(let wanted), .ioCommand(let opcode)): wanted == nil || wanted == opcode
    case (.fabricsCommand(let wanted), .fabricsCommand(let type)): wanted == nil || wanted == type
    default: false
    }
  }
}
