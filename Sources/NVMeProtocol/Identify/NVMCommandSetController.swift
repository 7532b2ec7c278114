/// I/O Command Set specific Identify Controller for the NVM Command Set, CNS 06h, CSI 00h, 4,096 bytes
/// (NVM Command Set 1.1). Its size limits are exponents in units of CAP.MPSMIN; 0: no limit.
public struct NVMCommandSetController: WireStructure, FixedLayout, Hashable {
  public static let structureName = "NVM Command Set Identify Controller"
  public static let byteCount = 4096

  /// VSL
  public var verifySizeLimit: UInt8 = 0
  /// WZSL
  public var writeZeroesSizeLimit: UInt8 = 0
  /// WUSL
  public var writeUncorrectableSizeLimit: UInt8 = 0
  /// DMRL: ranges in one Dataset Management command; 0: not reported
  public var datasetManagementRangesLimit: UInt8 = 0
  /// DMRSL: blocks in one range; 0: not reported
  public var datasetManagementRangeSizeLimit: UInt32 = 0
  /// DMSL: blocks in one command; 0: not reported
  public var datasetManagementSizeLimit: UInt64 = 0
  /// WZDSL
  public var writeZeroesWithDeallocateSizeLimit: UInt8 = 0
  /// AOCS
  public var adminOptionalCommands: UInt16 = 0
  /// VER of the NVM Command Set specification
  public var version = ControllerVersion(rawValue: 0)

  public init() {}

  public init(decoding bytes: RawSpan) throws(DecodingError) { self = try Self.decodeFields(bytes) }
  public func encode() -> [UInt8] { encodeFields() }

  mutating func visitFields<Visitor: FieldVisitor>(_ visitor: inout Visitor) {
    visitor.integer(&verifySizeLimit, at: 0)
    visitor.integer(&writeZeroesSizeLimit, at: 1)
    visitor.integer(&writeUncorrectableSizeLimit, at: 2)
    visitor.integer(&datasetManagementRangesLimit, at: 3)
    visitor.integer(&datasetManagementRangeSizeLimit, at: 4)
    visitor.integer(&datasetManagementSizeLimit, at: 8)
    visitor.integer(&writeZeroesWithDeallocateSizeLimit, at: 17)
    visitor.integer(&adminOptionalCommands, at: 18)
    visitor.integer(&version.rawValue, at: 20)
  }

  /// A size limit as bytes; nil: no limit, or one that no 64-bit length can reach.
  /// - Parameter minimumPageBytes: of CAP.MPSMIN.
  public static func limitBytes(exponent: UInt8, minimumPageBytes: Int) -> Int? {
    guard exponent != 0, exponent < 40 else { return nil }
    let (bytes, overflow) = minimumPageBytes.multipliedReportingOverflow(by: 1 << Int(exponent))
    return overflow ? nil : bytes
  }
}
