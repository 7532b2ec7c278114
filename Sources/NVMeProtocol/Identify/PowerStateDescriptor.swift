/// A power state, 32 bytes of Identify Controller (NVMe Base 2.1, figure 313).
public struct PowerStateDescriptor: WireStructure, FixedLayout, Hashable {
  public static let structureName = "Power State Descriptor"
  public static let byteCount = 32

  /// MP, in units of 0.01 W, or of 0.0001 W if flag bit 0 (MXPS) is set.
  public var maximumPower: UInt16 = 0
  /// Bit 0 MXPS, bit 1 NOPS (non-operational).
  public var flags: UInt8 = 0
  /// ENLAT
  public var entryLatencyMicroseconds: UInt32 = 0
  /// EXLAT
  public var exitLatencyMicroseconds: UInt32 = 0
  /// RRT
  public var relativeReadThroughput: UInt8 = 0
  /// RRL
  public var relativeReadLatency: UInt8 = 0
  /// RWT
  public var relativeWriteThroughput: UInt8 = 0
  /// RWL
  public var relativeWriteLatency: UInt8 = 0
  /// IDLP
  public var idlePower: UInt16 = 0
  /// IPS, scale in bits 7:6
  public var idlePowerScale: UInt8 = 0
  /// ACTP
  public var activePower: UInt16 = 0
  /// APW in bits 2:0, APS in bits 7:6
  public var activePowerWorkloadAndScale: UInt8 = 0

  public init() {}

  public init(decoding bytes: RawSpan) throws(DecodingError) { self = try Self.decodeFields(bytes) }
  public func encode() -> [UInt8] { encodeFields() }

  mutating func visitFields<Visitor: FieldVisitor>(_ visitor: inout Visitor) {
    visitor.integer(&maximumPower, at: 0)
    visitor.integer(&flags, at: 3)
    visitor.integer(&entryLatencyMicroseconds, at: 4)
    visitor.integer(&exitLatencyMicroseconds, at: 8)
    visitor.integer(&relativeReadThroughput, at: 12)
    visitor.integer(&relativeReadLatency, at: 13)
    visitor.integer(&relativeWriteThroughput, at: 14)
    visitor.integer(&relativeWriteLatency, at: 15)
    visitor.integer(&idlePower, at: 16)
    visitor.integer(&idlePowerScale, at: 18)
    visitor.integer(&activePower, at: 20)
    visitor.integer(&activePowerWorkloadAndScale, at: 22)
  }
}
