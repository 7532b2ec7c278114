/// FID (NVMe Base 2.1, figure 385).
public struct FeatureIdentifier: RawRepresentable, Hashable, Sendable {
  public var rawValue: UInt8
  public init(rawValue: UInt8) { self.rawValue = rawValue }

  public static let arbitration = FeatureIdentifier(rawValue: 0x01)
  public static let powerManagement = FeatureIdentifier(rawValue: 0x02)
  public static let lbaRangeType = FeatureIdentifier(rawValue: 0x03)
  public static let temperatureThreshold = FeatureIdentifier(rawValue: 0x04)
  public static let errorRecovery = FeatureIdentifier(rawValue: 0x05)
  public static let volatileWriteCache = FeatureIdentifier(rawValue: 0x06)
  public static let numberOfQueues = FeatureIdentifier(rawValue: 0x07)
  public static let interruptCoalescing = FeatureIdentifier(rawValue: 0x08)
  public static let interruptVectorConfiguration = FeatureIdentifier(rawValue: 0x09)
  public static let writeAtomicityNormal = FeatureIdentifier(rawValue: 0x0A)
  public static let asynchronousEventConfiguration = FeatureIdentifier(rawValue: 0x0B)
  public static let autonomousPowerStateTransition = FeatureIdentifier(rawValue: 0x0C)
  public static let hostMemoryBuffer = FeatureIdentifier(rawValue: 0x0D)
  public static let timestamp = FeatureIdentifier(rawValue: 0x0E)
  public static let keepAliveTimer = FeatureIdentifier(rawValue: 0x0F)
  public static let hostControlledThermalManagement = FeatureIdentifier(rawValue: 0x10)
  public static let nonOperationalPowerStateConfig = FeatureIdentifier(rawValue: 0x11)
  public static let readRecoveryLevelConfig = FeatureIdentifier(rawValue: 0x12)
  public static let hostBehaviorSupport = FeatureIdentifier(rawValue: 0x16)
  public static let sanitizeConfig = FeatureIdentifier(rawValue: 0x17)
  public static let commandSetProfile = FeatureIdentifier(rawValue: 0x19)
  public static let softwareProgressMarker = FeatureIdentifier(rawValue: 0x80)
  public static let hostIdentifier = FeatureIdentifier(rawValue: 0x81)
  public static let reservationNotificationMask = FeatureIdentifier(rawValue: 0x82)
  public static let reservationPersistence = FeatureIdentifier(rawValue: 0x83)
  public static let namespaceWriteProtectionConfig = FeatureIdentifier(rawValue: 0x84)

  /// As the specification writes it; nil if not known to this library.
  public var name: String? {
    switch rawValue {
    case 0x01: "Arbitration"
    case 0x02: "Power Management"
    case 0x03: "LBA Range Type"
    case 0x04: "Temperature Threshold"
    case 0x05: "Error Recovery"
    case 0x06: "Volatile Write Cache"
    case 0x07: "Number of Queues"
    case 0x08: "Interrupt Coalescing"
    case 0x09: "Interrupt Vector Configuration"
    case 0x0A: "Write Atomicity Normal"
    case 0x0B: "Asynchronous Event Configuration"
    case 0x0C: "Autonomous Power State Transition"
    case 0x0D: "Host Memory Buffer"
    case 0x0E: "Timestamp"
    case 0x0F: "Keep Alive Timer"
    case 0x10: "Host Controlled Thermal Management"
    case 0x11: "Non-Operational Power State Config"
    case 0x12: "Read Recovery Level Config"
    case 0x13: "Predictable Latency Mode Config"
    case 0x14: "Predictable Latency Mode Window"
    case 0x16: "Host Behavior Support"
    case 0x17: "Sanitize Config"
    case 0x18: "Endurance Group Event Configuration"
    case 0x19: "I/O Command Set Profile"
    case 0x1A: "Spinup Control"
    case 0x1D: "Flexible Data Placement"
    case 0x1E: "Flexible Data Placement Events"
    case 0x78: "Embedded Management Controller Address"
    case 0x7D: "Enhanced Controller Metadata"
    case 0x7E: "Controller Metadata"
    case 0x7F: "Namespace Metadata"
    case 0x80: "Software Progress Marker"
    case 0x81: "Host Identifier"
    case 0x82: "Reservation Notification Mask"
    case 0x83: "Reservation Persistence"
    case 0x84: "Namespace Write Protection Config"
    case 0x85: "Boot Partition Write Protection Config"
    default: nil
    }
  }
}
