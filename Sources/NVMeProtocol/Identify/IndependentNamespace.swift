/// I/O Command Set Independent Identify Namespace, CNS 08h, 4,096 bytes (NVMe Base 2.1, figure 319).
public struct IndependentNamespace: WireStructure, FixedLayout, Hashable {
  public static let structureName = "I/O Command Set Independent Identify Namespace"
  public static let byteCount = 4096

  /// NSFEAT
  public var features: UInt8 = 0
  /// NMIC
  public var multipathCapabilities: UInt8 = 0
  /// RESCAP
  public var reservationCapabilities: UInt8 = 0
  /// FPI
  public var formatProgressIndicator: UInt8 = 0
  /// ANAGRPID
  public var anaGroupIdentifier: UInt32 = 0
  /// NSATTR
  public var attributes: UInt8 = 0
  /// NVMSETID
  public var nvmSetIdentifier: UInt16 = 0
  /// ENDGID
  public var enduranceGroupIdentifier: UInt16 = 0
  /// NSTAT: bit 0 set: ready
  public var status: UInt8 = 0
  /// KPIOS
  public var keyPerIOStatus: UInt8 = 0
  /// MAXKT
  public var maximumKeyTag: UInt16 = 0
  /// RGRPID
  public var reachabilityGroupIdentifier: UInt32 = 0

  public init() {}

  public init(decoding bytes: RawSpan) throws(DecodingError) { self = try Self.decodeFields(bytes) }
  public func encode() -> [UInt8] { encodeFields() }

  mutating func visitFields<Visitor: FieldVisitor>(_ visitor: inout Visitor) {
    visitor.integer(&features, at: 0)
    visitor.integer(&multipathCapabilities, at: 1)
    visitor.integer(&reservationCapabilities, at: 2)
    visitor.integer(&formatProgressIndicator, at: 3)
    visitor.integer(&anaGroupIdentifier, at: 4)
    visitor.integer(&attributes, at: 8)
    visitor.integer(&nvmSetIdentifier, at: 10)
    visitor.integer(&enduranceGroupIdentifier, at: 12)
    visitor.integer(&status, at: 14)
    visitor.integer(&keyPerIOStatus, at: 15)
    visitor.integer(&maximumKeyTag, at: 16)
    visitor.integer(&reachabilityGroupIdentifier, at: 20)
  }

  /// NSTAT bit 0.
  public var isReady: Bool { status & 1 != 0 }
}
