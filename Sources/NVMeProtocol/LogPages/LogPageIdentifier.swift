/// LID (NVMe Base 2.1, figure 202).
public struct LogPageIdentifier: RawRepresentable, Hashable, Sendable {
  public var rawValue: UInt8
  public init(rawValue: UInt8) { self.rawValue = rawValue }

  public static let supportedLogPages = LogPageIdentifier(rawValue: 0x00)
  public static let errorInformation = LogPageIdentifier(rawValue: 0x01)
  public static let smartHealth = LogPageIdentifier(rawValue: 0x02)
  public static let firmwareSlot = LogPageIdentifier(rawValue: 0x03)
  public static let changedNamespaceList = LogPageIdentifier(rawValue: 0x04)
  public static let commandsSupportedAndEffects = LogPageIdentifier(rawValue: 0x05)
  public static let deviceSelfTest = LogPageIdentifier(rawValue: 0x06)
  public static let telemetryHostInitiated = LogPageIdentifier(rawValue: 0x07)
  public static let telemetryControllerInitiated = LogPageIdentifier(rawValue: 0x08)
  public static let enduranceGroupInformation = LogPageIdentifier(rawValue: 0x09)
  public static let asymmetricNamespaceAccess = LogPageIdentifier(rawValue: 0x0C)
  public static let persistentEvent = LogPageIdentifier(rawValue: 0x0D)
  public static let featureIdentifiersSupportedAndEffects = LogPageIdentifier(rawValue: 0x12)
  public static let discovery = LogPageIdentifier(rawValue: 0x70)
  public static let reservationNotification = LogPageIdentifier(rawValue: 0x80)
  public static let sanitizeStatus = LogPageIdentifier(rawValue: 0x81)

  /// As the specification writes it; nil if not known to this library.
  public var name: String? {
    switch rawValue {
    case 0x00: "Supported Log Pages"
    case 0x01: "Error Information"
    case 0x02: "SMART / Health Information"
    case 0x03: "Firmware Slot Information"
    case 0x04: "Changed Attached Namespace List"
    case 0x05: "Commands Supported and Effects"
    case 0x06: "Device Self-test"
    case 0x07: "Telemetry Host-Initiated"
    case 0x08: "Telemetry Controller-Initiated"
    case 0x09: "Endurance Group Information"
    case 0x0A: "Predictable Latency Per NVM Set"
    case 0x0B: "Predictable Latency Event Aggregate"
    case 0x0C: "Asymmetric Namespace Access"
    case 0x0D: "Persistent Event Log"
    case 0x0F: "Endurance Group Event Aggregate"
    case 0x10: "Media Unit Status"
    case 0x11: "Supported Capacity Configuration List"
    case 0x12: "Feature Identifiers Supported and Effects"
    case 0x13: "NVMe-MI Commands Supported and Effects"
    case 0x14: "Command and Feature Lockdown"
    case 0x15: "Boot Partition"
    case 0x16: "Rotational Media Information"
    case 0x17: "Dispersed Namespace Participating NVM Subsystems"
    case 0x18: "Management Address List"
    case 0x1A: "Reachability Groups"
    case 0x1B: "Reachability Associations"
    case 0x1C: "Changed Allocated Namespace List"
    case 0x20: "FDP Configurations"
    case 0x21: "Reclaim Unit Handle Usage"
    case 0x22: "FDP Statistics"
    case 0x23: "FDP Events"
    case 0x70: "Discovery"
    case 0x71: "Host Discovery"
    case 0x72: "AVE Discovery"
    case 0x73: "Pull Model DDC Request"
    case 0x80: "Reservation Notification"
    case 0x81: "Sanitize Status"
    case 0xBF: "Changed Zone List"
    default: nil
    }
  }
}
