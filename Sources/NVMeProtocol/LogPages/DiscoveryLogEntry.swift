/// A Discovery log entry, 1,024 bytes (NVMe Base 2.1, section 5.1.12.3.1, figure 294).
public struct DiscoveryLogEntry: WireStructure, FixedLayout, Hashable {
  public static let structureName = "Discovery log entry"
  public static let byteCount = 1024

  /// SUBTYPE
  public struct SubsystemType: RawRepresentable, Hashable, Sendable, CustomStringConvertible {
    public var rawValue: UInt8
    public init(rawValue: UInt8) { self.rawValue = rawValue }
    /// A referral to another discovery service.
    public static let referral = SubsystemType(rawValue: 1)
    /// A subsystem with I/O controllers.
    public static let nvm = SubsystemType(rawValue: 2)
    /// The discovery service that gave this log, or another of the same contents.
    public static let currentDiscovery = SubsystemType(rawValue: 3)

    public var description: String {
      switch rawValue {
      case 1: "discovery subsystem referral"
      case 2: "nvme subsystem"
      case 3: "current discovery subsystem"
      default: "unrecognized (\(rawValue))"
      }
    }
  }

  /// TRTYPE
  public var transportType = TransportType.tcp
  /// ADRFAM
  public var addressFamily = AddressFamily.ipv4
  /// SUBTYPE
  public var subsystemType = SubsystemType.nvm
  /// TREQ: bits 1:0 secure channel (0 not specified, 1 required, 2 not required), bit 2 SQ flow control can be off
  public var transportRequirements: UInt8 = 0
  /// PORTID
  public var portIdentifier: UInt16 = 0
  /// CNTLID; FFFFh dynamic model, FFFEh static model with any controller
  public var controllerIdentifier: UInt16 = 0xFFFF
  /// ASQSZ: the deepest admin queue
  public var adminQueueEntries: UInt16 = 32
  /// EFLAGS: bit 0 DUPRETINFO, bit 1 EPCSD (explicit persistent connection), bit 2 NCC (no CDC connectivity)
  public var flags: UInt16 = 0
  /// TRSVCID
  public var serviceIdentifier = ""
  /// SUBNQN
  public var subsystemNQN = ""
  /// TRADDR
  public var transportAddress = ""
  /// TSAS
  public var transportSpecific = [UInt8](repeating: 0, count: 256)

  public init() {}

  /// - Throws: `DecodingError` if there are fewer than 1,024 bytes. Text is repaired, not refused: one bad entry must
  ///   not hide the others.
  public init(decoding bytes: RawSpan) throws(DecodingError) { self = try Self.decodeFields(bytes) }
  public func encode() -> [UInt8] { encodeFields() }

  mutating func visitFields<Visitor: FieldVisitor>(_ visitor: inout Visitor) {
    visitor.integer(&transportType.rawValue, at: 0)
    visitor.integer(&addressFamily.rawValue, at: 1)
    visitor.integer(&subsystemType.rawValue, at: 2)
    visitor.integer(&transportRequirements, at: 3)
    visitor.integer(&portIdentifier, at: 4)
    visitor.integer(&controllerIdentifier, at: 6)
    visitor.integer(&adminQueueEntries, at: 8)
    visitor.integer(&flags, at: 10)
    visitor.text(&serviceIdentifier, at: 32, count: 32, padding: .space)
    visitor.text(&subsystemNQN, at: 256, count: 256, padding: .zero)
    visitor.text(&transportAddress, at: 512, count: 256, padding: .space)
    visitor.bytes(&transportSpecific, at: 768, count: 256)
  }

  /// SECTYPE of the TCP form of TSAS: 0 none, 1 TLS 1.2, 2 TLS 1.3.
  public var tcpSecurityType: UInt8 { transportType == .tcp ? transportSpecific.first ?? 0 : 0 }
  /// TREQ bits 1:0 = 01b.
  public var requiresSecureChannel: Bool { transportRequirements & 0b11 == 1 }
  /// EFLAGS bit 0, DUPRETINFO: all entries of a log that have it lead to the same information.
  public var returnsDuplicateInformation: Bool { flags & 1 != 0 }
  /// EFLAGS bit 1: a discovery connection there may be kept.
  public var supportsPersistentConnection: Bool { flags & 1 << 1 != 0 }
}
