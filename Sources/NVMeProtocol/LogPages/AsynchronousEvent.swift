/// What an Asynchronous Event Request completed with: dword 0 (NVMe Base 2.1, section 5.1.2.1, figure 147).
public struct AsynchronousEvent: RawRepresentable, Hashable, Sendable, CustomStringConvertible {
  public var rawValue: UInt32
  public init(rawValue: UInt32) { self.rawValue = rawValue }

  public init(kind: Kind, information: UInt8, logPage: LogPageIdentifier) {
    rawValue = UInt32(kind.rawValue) | UInt32(information) << 8 | UInt32(logPage.rawValue) << 16
  }

  /// Asynchronous Event Type, bits 2:0
  public struct Kind: RawRepresentable, Hashable, Sendable {
    public var rawValue: UInt8
    public init(rawValue: UInt8) { self.rawValue = rawValue & 0b111 }
    public static let errorStatus = Kind(rawValue: 0)
    public static let smartHealthStatus = Kind(rawValue: 1)
    public static let notice = Kind(rawValue: 2)
    public static let immediate = Kind(rawValue: 3)
    public static let oneShot = Kind(rawValue: 4)
    public static let commandSetSpecific = Kind(rawValue: 6)
    public static let vendorSpecific = Kind(rawValue: 7)
  }

  public var kind: Kind { Kind(rawValue: UInt8(truncatingIfNeeded: rawValue)) }
  /// Bits 15:8
  public var information: UInt8 { UInt8(truncatingIfNeeded: rawValue >> 8) }
  /// Bits 23:16: the page to read, which also clears the event.
  public var logPage: LogPageIdentifier { LogPageIdentifier(rawValue: UInt8(truncatingIfNeeded: rawValue >> 16)) }

  public static let persistentInternalError = AsynchronousEvent(
    kind: .errorStatus, information: 0x03, logPage: .errorInformation)
  public static let namespaceAttributeChanged = AsynchronousEvent(
    kind: .notice, information: 0x00, logPage: .changedNamespaceList)
  public static let anaChange = AsynchronousEvent(
    kind: .notice, information: 0x03, logPage: .asymmetricNamespaceAccess)
  public static let discoveryLogPageChange = AsynchronousEvent(kind: .notice, information: 0xF0, logPage: .discovery)

  /// Whether kind and information are the same.
  public func matches(_ other: AsynchronousEvent) -> Bool {
    kind == other.kind && information == other.information
  }

  public var description: String {
    let name: String
    switch (kind, information) {
    case (.errorStatus, 0): name = "Write to Invalid Doorbell Register"
    case (.errorStatus, 1): name = "Invalid Doorbell Write Value"
    case (.errorStatus, 2): name = "Diagnostic Failure"
    case (.errorStatus, 3): name = "Persistent Internal Error"
    case (.errorStatus, 4): name = "Transient Internal Error"
    case (.errorStatus, 5): name = "Firmware Image Load Error"
    case (.smartHealthStatus, 0): name = "NVM Subsystem Reliability"
    case (.smartHealthStatus, 1): name = "Temperature Threshold"
    case (.smartHealthStatus, 2): name = "Spare Below Threshold"
    case (.notice, 0x00): name = "Attached Namespace Attribute Changed"
    case (.notice, 0x01): name = "Firmware Activation Starting"
    case (.notice, 0x02): name = "Telemetry Log Changed"
    case (.notice, 0x03): name = "Asymmetric Namespace Access Change"
    case (.notice, 0x04): name = "Predictable Latency Event Aggregate Log Change"
    case (.notice, 0x05): name = "LBA Status Information Alert"
    case (.notice, 0x06): name = "Endurance Group Event Aggregate Log Page Change"
    case (.notice, 0x07): name = "Reachability Group Change"
    case (.notice, 0x08): name = "Reachability Association Change"
    case (.notice, 0x09): name = "Allocated Namespace Attribute Changed"
    case (.notice, 0xEF): name = "Zone Descriptor Changed"
    case (.notice, 0xF0): name = "Discovery Log Page Change"
    case (.notice, 0xF1): name = "Host Discovery Log Page Change"
    case (.immediate, 0): name = "Normal NVM Subsystem Shutdown"
    case (.commandSetSpecific, 0): name = "Reservation Log Page Available"
    case (.commandSetSpecific, 1): name = "Sanitize Operation Completed"
    default: name = "asynchronous event of type \(kind.rawValue), information \(hexadecimal(information))"
    }
    return "\(name), log page \(hexadecimal(logPage.rawValue))"
  }
}
