/// The data of feature 16h, Host Behavior Support, 512 bytes (NVMe Base 2.1, section 5.1.25.1.14).
public struct HostBehaviorSupport: WireStructure, FixedLayout, Hashable {
  public static let structureName = "Host Behavior Support"
  public static let byteCount = 512

  /// ACRE: 1: the host understands Command Interrupted and Command Retry Delay
  public var advancedCommandRetryEnable: UInt8 = 0
  /// ETDAS
  public var extendedTelemetryDataArea4: UInt8 = 0
  /// LBAFEE
  public var lbaFormatExtensionEnable: UInt8 = 0
  /// HDISNS
  public var hostDispersedNamespaceSupport: UInt8 = 0
  /// CDFE
  public var copyDescriptorFormatsEnable: UInt16 = 0

  public init() {}

  public init(decoding bytes: RawSpan) throws(DecodingError) { self = try Self.decodeFields(bytes) }
  public func encode() -> [UInt8] { encodeFields() }

  mutating func visitFields<Visitor: FieldVisitor>(_ visitor: inout Visitor) {
    visitor.integer(&advancedCommandRetryEnable, at: 0)
    visitor.integer(&extendedTelemetryDataArea4, at: 1)
    visitor.integer(&lbaFormatExtensionEnable, at: 2)
    visitor.integer(&hostDispersedNamespaceSupport, at: 3)
    visitor.integer(&copyDescriptorFormatsEnable, at: 4)
  }
}
