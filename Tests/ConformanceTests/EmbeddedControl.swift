import BlockDevice
import Conformance
import EmbeddedTarget

/// Lets the conformance suite change the embedded target.
struct EmbeddedControl: TargetControl {
  static let open = "nqn.2026-01.io.nvmeof.embedded:open"
  static let closed = "nqn.2026-01.io.nvmeof.embedded:closed"

  let target: EmbeddedTarget
  /// The first and the second port.
  let ports: [EmbeddedTarget.Port]
  let closedSubsystemNQN: String? = Self.closed

  static let namespaces: [UInt32: NamespaceConfiguration] = [
    1: .memory(byteCount: 16 << 20), 2: .memory(byteCount: 16 << 20, blockByteCount: 4096),
  ]

  /// Starts a target with a subsystem behind two ports, and one that admits nobody.
  static func start(
    configuration: TargetConfiguration = TargetConfiguration(),
    namespaces: [UInt32: NamespaceConfiguration] = Self.namespaces
  ) async throws -> (control: EmbeddedControl, target: ConformanceTarget) {
    let embedded = try await EmbeddedTarget.start(configuration: configuration, seed: 1)
    var subsystem = SubsystemConfiguration(nqn: open)
    subsystem.namespaces = namespaces
    try await embedded.addSubsystem(subsystem)
    var closed = SubsystemConfiguration(nqn: closed)
    closed.allowedHosts = []
    try await embedded.addSubsystem(closed)
    let ports = [try await embedded.addPort(), try await embedded.addPort()]
    var target = ConformanceTarget(host: ports[0].host, port: ports[0].port, subsystemNQN: open)
    target.secondPort = ports[1].port
    target.namespaceIdentifiers = namespaces.keys.sorted()
    return (EmbeddedControl(target: embedded, ports: ports), target)
  }

  func stop() async { await target.stop() }

  func allowHost(_ hostNQN: String) async throws {
    try await target.setAllowedHosts([hostNQN], of: Self.closed)
  }

  func disallowHost(_ hostNQN: String) async throws {
    try await target.setAllowedHosts([], of: Self.closed)
  }

  func addNamespace(_ identifier: UInt32, byteCount: Int) async throws {
    try await target.addNamespace(
      identifier, .memory(byteCount: UInt64(byteCount), blockByteCount: 4096), to: Self.open)
  }

  func resizeNamespace(_ identifier: UInt32, byteCount: Int) async throws {
    try await target.resizeNamespace(identifier, of: Self.open, byteCount: UInt64(byteCount))
  }

  func removeNamespace(_ identifier: UInt32) async throws {
    try await target.removeNamespace(identifier, from: Self.open)
  }

  func setNamespace(_ identifier: UInt32, isEnabled: Bool) async throws {
    try await target.setNamespace(identifier, of: Self.open, isEnabled: isEnabled)
  }

  func addSubsystems(prefix: String, count: Int) async throws {
    for index in 1...count { try await target.addSubsystem(SubsystemConfiguration(nqn: "\(prefix)\(index)")) }
  }

  func removeSubsystems(prefix: String) async throws {
    var index = 1
    while (try? await target.removeSubsystem("\(prefix)\(index)")) != nil { index += 1 }
  }

  func killConnections() async throws {
    try await target.closeConnections(reset: true)
  }

  func setPort(isSecond: Bool, isOpen: Bool) async throws {
    let port = ports[isSecond ? 1 : 0]
    if isOpen {
      try await target.addPort(PortConfiguration(port: port.port, identifier: port.identifier))
    } else {
      try await target.removePort(port.identifier)
    }
  }

  func setANAState(_ state: ANAState, namespace identifier: UInt32, isSecondPort: Bool) async throws {
    try await target.setANAState(state, group: 1, port: ports[isSecondPort ? 1 : 0].identifier)
  }

  func setSilent(_ isSilent: Bool) async throws {
    if isSilent {
      for trigger: FaultRule.Trigger in [.adminCommand(), .ioCommand()] {
        try await target.addFault(FaultRule(trigger, .silence))
      }
    } else {
      try await target.removeAllFaults()
    }
  }

  func setImpairment(_ impairment: NetworkImpairment?) async throws {
    let action: FaultRule.Action
    switch impairment {
    case .loss: action = .silence
    case .delay(let milliseconds): action = .delay(nanoseconds: UInt64(milliseconds) * 1_000_000)
    case nil:
      try await target.removeAllFaults()
      return
    }
    for trigger: FaultRule.Trigger in [.adminCommand(), .ioCommand()] {
      var rule = FaultRule(trigger, action)
      rule.portIdentifier = ports[0].identifier
      try await target.addFault(rule)
    }
  }

  func setQueueLimit(_ count: Int?) async throws {
    try await target.setMaximumIOQueues(count ?? TargetConfiguration().maximumIOQueues)
    try await target.closeConnections()
  }

  let lastingNamespaceIdentifier: UInt32 = 1

  func restart() async throws {
    for isSecond in [false, true] { try await setPort(isSecond: isSecond, isOpen: false) }
    try await Task.sleep(for: .seconds(1))
    for isSecond in [false, true] { try await setPort(isSecond: isSecond, isOpen: true) }
  }

  func checksum(namespace identifier: UInt32, offset: Int, count: Int) async throws -> UInt32 {
    let bytes = try await target.readNamespace(
      identifier, of: Self.open, offset: UInt64(offset), byteCount: count)
    return ~bytes.reduce(~0 as UInt32) { crc, byte in
      (0..<8).reduce(crc ^ UInt32(byte)) { crc, _ in crc & 1 == 1 ? crc >> 1 ^ 0xEDB8_8320 : crc >> 1 }
    }
  }

  func fill(namespace identifier: UInt32, offset: Int, count: Int, with byte: UInt8) async throws {
    try await target.writeNamespace(
      identifier, of: Self.open, offset: UInt64(offset), bytes: [UInt8](repeating: byte, count: count))
  }
}
