/// What the bits of Identify Controller's fields mean (NVMe Base 2.1, figure 312).
enum ControllerBits {
  static let multipath: [BitDescription] = [
    .support(3, "ANA reporting"),
    .bit(2, "Controller of an SR-IOV virtual function", unset: "Controller of a PCI function or of a fabric"),
    .bit(1, "Subsystem may have several controllers", unset: "Subsystem has one controller"),
    .bit(0, "Subsystem may have several ports", unset: "Subsystem has one port"),
  ]

  static let asynchronousEvents: [BitDescription] = [
    .support(31, "Discovery Log Page Change notices"),
    .support(27, "Zone Descriptor Changed notices"),
    .support(15, "Normal NVM Subsystem Shutdown events"),
    .support(14, "Endurance Group Event Aggregate Log Page Change notices"),
    .support(13, "LBA Status Information Alert notices"),
    .support(12, "Predictable Latency Event Aggregate Log Change notices"),
    .support(11, "Asymmetric Namespace Access Change notices"),
    .support(9, "Firmware Activation notices"),
    .support(8, "Attached Namespace Attribute notices"),
  ]

  static let attributes: [BitDescription] = [
    .support(19, "Flexible Data Placement"),
    .support(15, "Extended LBA formats"),
    .support(14, "Delete NVM Set"),
    .support(13, "Delete Endurance Group"),
    .support(12, "Variable Capacity Management"),
    .support(11, "Fixed Capacity Management"),
    .support(10, "Multi-domain subsystem"),
    .support(9, "UUID List"),
    .support(8, "SQ Associations"),
    .support(7, "Namespace Granularity"),
    .support(6, "Traffic Based Keep Alive"),
    .support(5, "Predictable Latency Mode"),
    .support(4, "Endurance Groups"),
    .support(3, "Read Recovery Levels"),
    .support(2, "NVM Sets"),
    .support(1, "Non-operational Power State Permissive Mode"),
    .support(0, "128-bit Host Identifier"),
  ]

  static let type: [BitDescription] = [
    .values(
      0...7,
      [
        0: "Controller type not reported", 1: "I/O controller", 2: "Discovery controller",
        3: "Administrative controller",
      ])
  ]

  static let adminCommands: [BitDescription] = [
    .support(10, "Command and Feature Lockdown"),
    .support(9, "Get LBA Status"),
    .support(8, "Doorbell Buffer Config"),
    .support(7, "Virtualization Management"),
    .support(6, "NVMe-MI Send and Receive"),
    .support(5, "Directives"),
    .support(4, "Device Self-test"),
    .support(3, "Namespace Management and Attachment"),
    .support(2, "Firmware Commit and Image Download"),
    .support(1, "Format NVM"),
    .support(0, "Security Send and Receive"),
  ]

  static let firmware: [BitDescription] = [
    .support(5, "Multiple update detection"),
    .support(4, "Firmware activation without reset"),
    .number(1...3) { "\($0) firmware slots" },
    .bit(0, "Slot 1 is read-only", unset: "Slot 1 can be written"),
  ]

  static let logPages: [BitDescription] = [
    .support(6, "Telemetry data area 4"),
    .support(5, "Log pages 00h, 12h and 13h"),
    .support(4, "Persistent Event log"),
    .support(3, "Telemetry logs and notices"),
    .support(2, "Extended data (offset and length) of Get Log Page"),
    .support(1, "Commands Supported and Effects log"),
    .support(0, "SMART / Health log a namespace"),
  ]

  static let sanitize: [BitDescription] = [
    .values(
      30...31,
      [
        0: "Media modified after sanitize: not defined", 1: "Media not modified after sanitize",
        2: "Media modified after sanitize",
      ]),
    .bit(29, "No-Deallocate After Sanitize inhibited", unset: "No-Deallocate After Sanitize allowed"),
    .support(2, "Overwrite sanitize"),
    .support(1, "Block Erase sanitize"),
    .support(0, "Crypto Erase sanitize"),
  ]

  static let ana: [BitDescription] = [
    .support(7, "Non-zero ANAGRPID in Namespace Management"),
    .bit(6, "ANAGRPID is constant while attached", unset: "ANAGRPID may change while attached"),
    .support(4, "ANA Change state"),
    .support(3, "ANA Persistent Loss state"),
    .support(2, "ANA Inaccessible state"),
    .support(1, "ANA Non-Optimized state"),
    .support(0, "ANA Optimized state"),
  ]

  static let entrySize: [BitDescription] = [
    .number(4...7) { "Largest entry: \(1 << $0) bytes" },
    .number(0...3) { "Required entry: \(1 << $0) bytes" },
  ]

  static let ioCommands: [BitDescription] = [
    .support(12, "Namespace zeroes (Write Zeroes of all blocks)"),
    .support(11, "Write Zeroes beyond MDTS when deallocating"),
    .bit(10, "All copies are fast copies", unset: "Copies need not be fast copies"),
    .bit(9, "Copy is atomic as one write", unset: "Copy is not atomic as one write"),
    .support(8, "Copy"),
    .support(7, "Verify"),
    .support(6, "Timestamp"),
    .support(5, "Reservations"),
    .support(4, "Save and Select fields of features"),
    .support(3, "Write Zeroes"),
    .support(2, "Dataset Management"),
    .support(1, "Write Uncorrectable"),
    .support(0, "Compare"),
  ]

  static let format: [BitDescription] = [
    .bit(3, "Format NVM of all namespaces at once not supported", unset: "Format NVM of all namespaces supported"),
    .support(2, "Cryptographic erase"),
    .bit(1, "Secure erase applies to all namespaces", unset: "Secure erase applies to one namespace"),
    .bit(0, "Format applies to all namespaces", unset: "Format applies to one namespace"),
  ]

  static let writeCache: [BitDescription] = [
    .values(
      1...2,
      [
        0: "Flush of all namespaces: not reported", 2: "Flush of all namespaces not supported",
        3: "Flush of all namespaces supported",
      ]),
    .bit(0, "Volatile write cache present", unset: "No volatile write cache"),
  ]

  static let writeProtection: [BitDescription] = [
    .support(2, "Permanent write protection"),
    .support(1, "Write protection until power cycle"),
    .support(0, "Write protection"),
  ]

  static let sgl: [BitDescription] = [
    .support(21, "Transport SGL Data Block"),
    .support(20, "Address as an offset"),
    .support(19, "SGL in the metadata pointer"),
    .support(18, "SGLs longer than the data"),
    .support(17, "Byte aligned contiguous metadata"),
    .support(16, "Bit Bucket"),
    .number(8...15) { "Recommended most descriptors: \($0 == 0 ? "not reported" : String($0))" },
    .support(2, "Keyed SGL Data Block"),
    .values(
      0...1,
      [0: "SGLs not supported", 1: "SGLs supported, any alignment", 2: "SGLs supported, dword alignment"]),
  ]
}
