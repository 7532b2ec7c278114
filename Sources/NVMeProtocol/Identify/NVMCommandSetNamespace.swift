/// I/O Command Set specific Identify Namespace for the NVM Command Set, CNS 05h, CSI 00h, 4,096 bytes
/// (NVM Command Set 1.1).
public struct NVMCommandSetNamespace: WireStructure, FixedLayout, Hashable {
  public static let structureName = "NVM Command Set Identify Namespace"
  public static let byteCount = 4096

  /// LBSTM
  public var logicalBlockStorageTagMask: UInt64 = 0
  /// PIC
  public var protectionInformationCapabilities: UInt8 = 0
  /// PIFA
  public var protectionInformationFormatAttributes: UInt8 = 0
  /// ELBAF0 to ELBAF63: STS in bits 6:0, PIF in bits 8:7, QPIF in bits 12:9
  public var extendedFormats: [UInt32] = Array(repeating: 0, count: 64)
  /// NPDGL, blocks
  public var preferredDeallocateGranularityLarge: UInt32 = 0
  /// NPRG, blocks
  public var preferredReadGranularity: UInt32 = 0
  /// NPRA, blocks
  public var preferredReadAlignment: UInt32 = 0
  /// NORS, blocks
  public var optimalReadSize: UInt32 = 0
  /// NPDAL, blocks
  public var preferredDeallocateAlignmentLarge: UInt32 = 0

  public init() {}

  public init(decoding bytes: RawSpan) throws(DecodingError) { self = try Self.decodeFields(bytes) }
  public func encode() -> [UInt8] { encodeFields() }

  mutating func visitFields<Visitor: FieldVisitor>(_ visitor: inout Visitor) {
    visitor.integer(&logicalBlockStorageTagMask, at: 0)
    visitor.integer(&protectionInformationCapabilities, at: 8)
    visitor.integer(&protectionInformationFormatAttributes, at: 9)
    visitor.integers(&extendedFormats, at: 12, count: 64)
    visitor.integer(&preferredDeallocateGranularityLarge, at: 268)
    visitor.integer(&preferredReadGranularity, at: 272)
    visitor.integer(&preferredReadAlignment, at: 276)
    visitor.integer(&optimalReadSize, at: 280)
    visitor.integer(&preferredDeallocateAlignmentLarge, at: 284)
  }
}
