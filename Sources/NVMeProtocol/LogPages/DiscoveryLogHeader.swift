/// The head of the Discovery log, LID 70h, 1,024 bytes (NVMe Base 2.1, section 5.1.12.3.1, figure 296).
public struct DiscoveryLogHeader: WireStructure, FixedLayout, Hashable {
  public static let structureName = "Discovery log header"
  public static let byteCount = 1024

  /// GENCTR: changes whenever the log does
  public var generationCounter: UInt64 = 0
  /// NUMREC
  public var recordCount: UInt64 = 0
  /// RECFMT: 0
  public var recordFormat: UInt16 = 0

  public init() {}

  public init(generationCounter: UInt64, recordCount: UInt64) {
    self.generationCounter = generationCounter
    self.recordCount = recordCount
  }

  public init(decoding bytes: RawSpan) throws(DecodingError) { self = try Self.decodeFields(bytes) }
  public func encode() -> [UInt8] { encodeFields() }

  mutating func visitFields<Visitor: FieldVisitor>(_ visitor: inout Visitor) {
    visitor.integer(&generationCounter, at: 0)
    visitor.integer(&recordCount, at: 8)
    visitor.integer(&recordFormat, at: 16)
  }
}
