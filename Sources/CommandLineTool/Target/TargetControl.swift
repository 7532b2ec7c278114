import EmbeddedTarget
import JSON
import NVMeProtocol

/// Carries out what standard input asks of a running `nvmeof target`, one line after the other.
actor TargetControl {
  private let target: EmbeddedTarget
  private let ports: [EmbeddedTarget.Port]
  private let subsystems: [String]
  /// Namespaces in use, for finding a free number, by subsystem.
  private var identifiers: [Set<UInt32>]
  /// Identifiers of ports that are off.
  private var closedPorts: Set<UInt16> = []
  private var faults: [UInt64: String] = [:]

  /// - Parameters:
  ///   - ports: in the order of `--port`.
  ///   - subsystems: their NQNs in the order of `--nqn`.
  ///   - identifiers: of their namespaces.
  init(
    target: EmbeddedTarget, ports: [EmbeddedTarget.Port], subsystems: [String], identifiers: [Set<UInt32>]
  ) {
    self.target = target
    self.ports = ports
    self.subsystems = subsystems
    self.identifiers = identifiers
  }

  /// The port that a person means by a number: that of the port itself, else its place in the order of `--port`.
  static func port(_ number: UInt16, of ports: [EmbeddedTarget.Port]) throws(ToolError) -> EmbeddedTarget.Port {
    if let port = ports.first(where: { $0.port == number }) { return port }
    if ports.indices.contains(Int(number) - 1) { return ports[Int(number) - 1] }
    let known = ports.enumerated().map { "\($1.port) (or \($0 + 1))" }.joined(separator: ", ")
    throw .usage("there is no port \(number): write \(known)")
  }

  /// Does what a command asks for and says what became of it.
  func answer(_ command: ControlCommand) async -> ControlAnswer {
    do {
      return try await perform(command)
    } catch {
      return .failed("\(error)")
    }
  }

  private func perform(_ command: ControlCommand) async throws -> ControlAnswer {
    switch command {
    case .help:
      let lines = ControlCommand.helpText.split(separator: "\n").map { JSONValue.string(String($0)) }
      return .done(ControlCommand.helpText, ["help": .array(lines)])
    case .quit: return .done("the target ends", [:])
    case .setPort(let number, let isOpen): return try await set(try Self.port(number, of: ports), isOpen: isOpen)
    case .setAccessState(let number, let group, let state):
      let port = try Self.port(number, of: ports)
      try await target.setANAState(state, group: group, port: port.identifier)
      return .done(
        "port \(port.port): ANA group \(group) is \(state)",
        ["port": .integer(port.port), "group": .integer(group), "state": .string(state.description)])
    case .addNamespace(let specification): return try await add(specification)
    case .removeNamespace(let identifier, let subsystem):
      let nqn = try nqn(subsystem)
      try await target.removeNamespace(identifier, from: nqn)
      identifiers[subsystem - 1].remove(identifier)
      return .done(
        "namespace \(identifier) of \(nqn) is removed",
        ["nsid": .integer(identifier), "nqn": .string(nqn)])
    case .resizeNamespace(let identifier, let byteCount, let subsystem):
      let nqn = try nqn(subsystem)
      try await target.resizeNamespace(identifier, of: nqn, byteCount: byteCount)
      return .done(
        "namespace \(identifier) of \(nqn) has \(ByteText.binary(byteCount)), in whole blocks",
        ["nsid": .integer(identifier), "nqn": .string(nqn), "bytes": .integer(byteCount)])
    case .addFault(let fault):
      var nqn: String?
      if let number = fault.subsystem { nqn = try self.nqn(number) }
      let identifier = try await target.addFault(fault.rule(subsystemNQN: nqn))
      faults[identifier] = fault.text
      return .done(
        "fault \(identifier): \(fault.text)",
        ["fault": .integer(identifier), "rule": .string(fault.text)])
    case .listFaults: return try await listFaults()
    case .removeFault(let identifier):
      guard faults.removeValue(forKey: identifier) != nil else {
        let known = faults.keys.sorted().map(String.init).joined(separator: ", ")
        throw ToolError.usage(
          "there is no fault \(identifier): \(known.isEmpty ? "there are none" : "there are \(known)")")
      }
      try await target.removeFault(identifier)
      return .done("fault \(identifier) is removed", ["fault": .integer(identifier)])
    case .removeAllFaults:
      try await target.removeAllFaults()
      faults = [:]
      return .done("all faults are removed", [:])
    }
  }

  private func set(_ port: EmbeddedTarget.Port, isOpen: Bool) async throws -> ControlAnswer {
    if isOpen == closedPorts.contains(port.identifier) {
      if isOpen {
        var configuration = PortConfiguration(host: port.host, port: port.port)
        configuration.identifier = port.identifier
        try await target.addPort(configuration)
        closedPorts.remove(port.identifier)
      } else {
        try await target.removePort(port.identifier)
        closedPorts.insert(port.identifier)
      }
    }
    return .done(
      "port \(port.port) is \(isOpen ? "on" : "off")",
      ["port": .integer(port.port), "state": .string(isOpen ? "on" : "off")])
  }

  private func add(_ specification: NamespaceSpecification) async throws -> ControlAnswer {
    let nqn = try nqn(specification.subsystem)
    let used = identifiers[specification.subsystem - 1]
    let identifier = specification.identifier ?? NamespaceSpecification.freeIdentifier(beside: used)
    try await target.addNamespace(identifier, specification.configuration, to: nqn)
    identifiers[specification.subsystem - 1].insert(identifier)
    return .done(
      "namespace \(identifier) of \(nqn): \(specification.summary)",
      ["nsid": .integer(identifier), "nqn": .string(nqn)])
  }

  private func listFaults() async throws -> ControlAnswer {
    var lines: [String] = []
    var documents: [JSONValue] = []
    for (identifier, text) in faults.sorted(by: { $0.key < $1.key }) {
      let count = try await target.faultCount(identifier)
      lines.append("fault \(identifier): \(text); has acted \(count) times")
      documents.append(["fault": .integer(identifier), "rule": .string(text), "actions": .integer(count)])
    }
    return .done(
      lines.isEmpty ? "there are no faults" : lines.joined(separator: "\n"), ["faults": .array(documents)])
  }

  private func nqn(_ number: Int) throws(ToolError) -> String {
    guard subsystems.indices.contains(number - 1) else {
      let known = subsystems.enumerated().map { "\($0 + 1) (\($1))" }.joined(separator: ", ")
      throw .usage("there is no subsystem \(number): write \(known)")
    }
    return subsystems[number - 1]
  }
}
