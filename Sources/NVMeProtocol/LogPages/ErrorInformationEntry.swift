/// An entry of the Error Information log, LID 01h, 64 bytes (NVMe Base 2.1, figure 205).
public struct ErrorInformationEntry: WireStructure, FixedLayout, Hashable {
  public static let structureName = "Error Information log entry"
  public static let byteCount = 64

  /// 0: the entry is empty
  public var errorCount: UInt64 = 0
  public var submissionQueueIdentifier: UInt16 = 0
  public var commandIdentifier: UInt16 = 0
  /// Status field with the phase tag in bit 0
  public var statusAndPhase: UInt16 = 0
  /// Byte in bits 7:0, bit in bits 10:8; FFFFh: none
  public var parameterErrorLocation: UInt16 = 0
  public var lba: UInt64 = 0
  public var namespaceIdentifier: UInt32 = 0
  public var vendorSpecificLogPage: UInt8 = 0
  public var transportType: UInt8 = 0
  public var commandSet: UInt8 = 0
  public var opcode: UInt8 = 0
  public var commandSpecific: UInt64 = 0
  public var transportSpecific: UInt16 = 0

  public init() {}

  public var status: StatusField { StatusField(rawValue: statusAndPhase >> 1) }

  public init(decoding bytes: RawSpan) throws(DecodingError) { self = try Self.decodeFields(bytes) }
  public func encode() -> [UInt8] { encodeFields() }

  mutating func visitFields<Visitor: FieldVisitor>(_ visitor: inout Visitor) {
    visitor.integer(&errorCount, at: 0)
    visitor.integer(&submissionQueueIdentifier, at: 8)
    visitor.integer(&commandIdentifier, at: 10)
    visitor.integer(&statusAndPhase, at: 12)
    visitor.integer(&parameterErrorLocation, at: 14)
    visitor.integer(&lba, at: 16)
    visitor.integer(&namespaceIdentifier, at: 24)
    visitor.integer(&vendorSpecificLogPage, at: 28)
    visitor.integer(&transportType, at: 29)
    visitor.integer(&commandSet, at: 30)
    visitor.integer(&opcode, at: 31)
    visitor.integer(&commandSpecific, at: 32)
    visitor.integer(&transportSpecific, at: 40)
  }
}
