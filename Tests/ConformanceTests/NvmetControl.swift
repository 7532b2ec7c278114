import BlockDevice
import Conformance
import NvmetGuest

/// Lets the conformance suite change the Linux target in the guest.
struct NvmetControl: TargetControl {
  let guest: NvmetGuest
  let subsystem = NvmetGuest.openSubsystem
  let closedSubsystemNQN: String? = NvmetGuest.closedSubsystem

  func allowHost(_ hostNQN: String) async throws {
    try await guest.allowHost(hostNQN, subsystem: NvmetGuest.closedSubsystem)
  }

  func disallowHost(_ hostNQN: String) async throws {
    try await guest.disallowHost(hostNQN, subsystem: NvmetGuest.closedSubsystem)
  }

  func addNamespace(_ identifier: UInt32, byteCount: Int) async throws {
    try await guest.addNamespace(
      identifier, to: subsystem, device: .file(name: "conformance-\(identifier)", bytes: byteCount))
  }

  func resizeNamespace(_ identifier: UInt32, byteCount: Int) async throws {
    try await guest.resizeNamespace(
      identifier, of: subsystem, file: "/tmp/files/conformance-\(identifier)", bytes: byteCount)
  }

  func removeNamespace(_ identifier: UInt32) async throws {
    try await guest.removeNamespace(identifier, from: subsystem)
    try await guest.run("rm -f /tmp/files/conformance-\(identifier)")
  }

  func setNamespace(_ identifier: UInt32, isEnabled: Bool) async throws {
    try await guest.setNamespace(identifier, of: subsystem, isEnabled: isEnabled)
  }

  func addSubsystems(prefix: String, count: Int) async throws {
    try await guest.createSubsystems(prefix: prefix, count: count)
  }

  func removeSubsystems(prefix: String) async throws {
    try await guest.removeSubsystems(prefix: prefix)
  }

  func killConnections() async throws {
    try await guest.killConnections(guestPort: 4420)
  }

  func setPort(isSecond: Bool, isOpen: Bool) async throws {
    // A port without any subsystem does not listen. The one under test is the last to go and the first to come: a port that
    // listens without it refuses for good.
    let subsystems = [NvmetGuest.openSubsystem, NvmetGuest.closedSubsystem]
    for subsystem in isOpen ? subsystems : subsystems.reversed() {
      try await guest.setSubsystem(subsystem, isLinked: isOpen, port: isSecond ? 2 : 1)
    }
  }

  func setANAState(_ state: ANAState, namespace identifier: UInt32, isSecondPort: Bool) async throws {
    let names: [ANAState: AnaState] = [
      .optimized: .optimized, .nonOptimized: .nonOptimized, .inaccessible: .inaccessible,
      .persistentLoss: .persistentLoss, .change: .change,
    ]
    guard let name = names[state] else { return }
    // The guest's namespaces are in the groups of their own numbers.
    try await guest.setAnaState(name, group: Int(identifier), port: isSecondPort ? 2 : 1)
  }

  func setSilent(_ isSilent: Bool) async throws {
    if isSilent { try await guest.pause() } else { try await guest.resume() }
  }

  func setImpairment(_ impairment: NetworkImpairment?) async throws {
    switch impairment {
    case .loss: try await guest.setImpairment(.loss, guestPort: 4420)
    case .delay(let milliseconds):
      try await guest.setImpairment(.delay(milliseconds: milliseconds), guestPort: 4420)
    case nil: try await guest.setImpairment(nil, guestPort: 4420)
    }
  }

  func setQueueLimit(_ count: Int?) async throws {
    // Linux starts with 128 (NVMET_NR_QUEUES).
    try await guest.setQueueLimit(count ?? 128, of: subsystem)
  }

  let lastingNamespaceIdentifier: UInt32 = 4

  func restart() async throws { try await guest.restart() }

  func checksum(namespace identifier: UInt32, offset: Int, count: Int) async throws -> UInt32 {
    try await guest.checksum(of: device(of: identifier), offset: offset, count: count)
  }

  func fill(namespace identifier: UInt32, offset: Int, count: Int, with byte: UInt8) async throws {
    try await guest.fill(device(of: identifier), offset: offset, count: count, with: byte)
  }

  private func device(of identifier: UInt32) -> String {
    switch identifier {
    case 1: "/dev/nullb512"
    case 2: "/dev/nullb4k"
    case 3: "/dev/ram0"
    case 4: "/dev/vda"
    default: "/tmp/files/conformance-\(identifier)"
    }
  }
}
