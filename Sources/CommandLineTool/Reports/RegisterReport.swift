import BlockDevice

/// A controller's properties, by the names that nvme-cli has for them (NVMe Base 2.1, section 3.1.4).
enum RegisterReport {
  struct Register: Sendable {
    var name: String
    var property: ControllerProperty
    var isOptional = false
    var bits: [BitDescription]

    static let all = [
      Register(name: "cap", property: .controllerCapabilities, bits: capabilities),
      Register(name: "version", property: .version, bits: version),
      Register(name: "cc", property: .controllerConfiguration, bits: configuration),
      Register(name: "csts", property: .controllerStatus, bits: status),
      Register(name: "nssr", property: .subsystemReset, isOptional: true, bits: []),
      Register(name: "crto", property: .controllerReadyTimeouts, isOptional: true, bits: readyTimeouts),
    ]

    // Figure 36.
    private static let capabilities: [BitDescription] = [
      .support(58, "NVM Subsystem Shutdown"),
      .number(52...55) { "Largest memory page: \(4096 << $0) bytes" },
      .number(48...51) { "Smallest memory page: \(4096 << $0) bytes" },
      .support(43, "I/O Command Sets"),
      .support(37, "NVM Command Set"),
      .support(36, "NVM Subsystem Reset"),
      .number(24...31) { "Time to become ready: \($0 * 500) ms" },
      .bit(16, "Queues are physically contiguous", unset: "Queues need not be physically contiguous"),
      .number(0...15) { "Entries in a queue: \($0 + 1)" },
    ]

    // Figure 37.
    private static let version: [BitDescription] = [
      .number(0...31) { "NVMe \(ControllerVersion(rawValue: UInt32($0)))" }
    ]

    // Figure 41.
    private static let configuration: [BitDescription] = [
      .number(20...23) { "Completion queue entry: \(1 << $0) bytes" },
      .number(16...19) { "Submission queue entry: \(1 << $0) bytes" },
      .values(14...15, [0: "No shutdown notification", 1: "Normal shutdown", 2: "Abrupt shutdown"]),
      .number(7...10) { "Memory page: \(4096 << $0) bytes" },
      .values(4...6, [0: "NVM Command Set", 6: "All supported I/O Command Sets", 7: "Admin Command Set only"]),
      .bit(0, "Enabled", unset: "Disabled"),
    ]

    // Figure 42.
    private static let status: [BitDescription] = [
      .bit(6, "NVM subsystem shutdown", unset: "Controller shutdown, if any"),
      .bit(5, "Processing is paused", unset: "Processing is not paused"),
      .bit(4, "An NVM subsystem reset has occurred", unset: "No NVM subsystem reset has occurred"),
      .values(2...3, [0: "Normal operation", 1: "Shutdown is occurring", 2: "Shutdown is complete"]),
      .bit(1, "Controller fatal status", unset: "No fatal status"),
      .bit(0, "Ready", unset: "Not ready"),
    ]

    private static let readyTimeouts: [BitDescription] = [
      .number(16...31) { "Time to become ready, independent of media: \($0 * 500) ms" },
      .number(0...15) { "Time to become ready, with media: \($0 * 500) ms" },
    ]
  }

  static func make(_ values: [(register: Register, value: UInt64)]) -> StructureReport {
    var report = StructureReport(title: "Controller properties")
    for (register, value) in values { report.add(hex: register.name, value, bits: register.bits) }
    return report
  }
}
