/// Identify Namespace of the NVM Command Set, CNS 00h, 4,096 bytes (NVM Command Set 1.1).
public struct IdentifyNamespace: WireStructure, FixedLayout, Hashable {
  public static let structureName = "Identify Namespace"
  public static let byteCount = 4096

  /// NSZE, blocks; 0: no such namespace, or not active
  public var sizeBlocks: UInt64 = 0
  /// NCAP, blocks
  public var capacityBlocks: UInt64 = 0
  /// NUSE, blocks
  public var utilizationBlocks: UInt64 = 0
  /// NSFEAT
  public var features: UInt8 = 0
  /// NLBAF, zeroes based
  public var formatCount: UInt8 = 0
  /// FLBAS
  public var formattedSize: UInt8 = 0
  /// MC
  public var metadataCapabilities: UInt8 = 0
  /// DPC
  public var protectionCapabilities: UInt8 = 0
  /// DPS
  public var protectionSettings: UInt8 = 0
  /// NMIC
  public var multipathCapabilities: UInt8 = 0
  /// RESCAP
  public var reservationCapabilities: UInt8 = 0
  /// FPI
  public var formatProgressIndicator: UInt8 = 0
  /// DLFEAT
  public var deallocateFeatures: UInt8 = 0
  /// NAWUN, blocks, zeroes based
  public var atomicWriteUnitNormal: UInt16 = 0
  /// NAWUPF, blocks, zeroes based
  public var atomicWriteUnitPowerFail: UInt16 = 0
  /// NACWU, blocks, zeroes based
  public var atomicCompareAndWriteUnit: UInt16 = 0
  /// NABSN, blocks, zeroes based
  public var atomicBoundarySizeNormal: UInt16 = 0
  /// NABO, blocks
  public var atomicBoundaryOffset: UInt16 = 0
  /// NABSPF, blocks, zeroes based
  public var atomicBoundarySizePowerFail: UInt16 = 0
  /// NOIOB, blocks; 0: not reported
  public var optimalIOBoundary: UInt16 = 0
  /// NVMCAP, bytes
  public var capacityBytes: UInt128 = 0
  /// NPWG, blocks, zeroes based; valid if NSFEAT.OPTPERF
  public var preferredWriteGranularity: UInt16 = 0
  /// NPWA, blocks, zeroes based
  public var preferredWriteAlignment: UInt16 = 0
  /// NPDG, blocks, zeroes based
  public var preferredDeallocateGranularity: UInt16 = 0
  /// NPDA, blocks, zeroes based
  public var preferredDeallocateAlignment: UInt16 = 0
  /// NOWS, blocks, zeroes based
  public var optimalWriteSize: UInt16 = 0
  /// MSSRL, blocks
  public var maximumSourceRangeLength: UInt16 = 0
  /// MCL, blocks
  public var maximumCopyLength: UInt32 = 0
  /// MSRC, zeroes based
  public var maximumSourceRangeCount: UInt8 = 0
  /// KPIOS
  public var keyPerIOStatus: UInt8 = 0
  /// NULBAF
  public var uniqueFormatCount: UInt8 = 0
  /// ANAGRPID
  public var anaGroupIdentifier: UInt32 = 0
  /// NSATTR
  public var attributes: UInt8 = 0
  /// NVMSETID
  public var nvmSetIdentifier: UInt16 = 0
  /// ENDGID
  public var enduranceGroupIdentifier: UInt16 = 0
  /// NGUID
  public var nguid = Identifier128()
  /// EUI64, its eight bytes read most significant first
  public var eui64: UInt64 = 0
  /// LBAF0 to LBAF63
  public var formats: [LBAFormat] = []

  public init() {}

  /// A namespace of `blocks` blocks of 2^`exponent` bytes, one format, no metadata: what a target usually has.
  public init(blocks: UInt64, dataSizeExponent exponent: UInt8) {
    sizeBlocks = blocks
    capacityBlocks = blocks
    utilizationBlocks = blocks
    capacityBytes = UInt128(blocks) << UInt128(exponent)
    formats = [LBAFormat(dataSizeExponent: exponent)]
  }

  /// - Throws: `DecodingError` if there are fewer than 4,096 bytes. All-zero data (an inactive namespace) is fine;
  ///   whether the format in use makes sense is asked by `geometry()`.
  public init(decoding bytes: RawSpan) throws(DecodingError) { self = try Self.decodeFields(bytes) }
  public func encode() -> [UInt8] { encodeFields() }

  mutating func visitFields<Visitor: FieldVisitor>(_ visitor: inout Visitor) {
    visitor.integer(&sizeBlocks, at: 0)
    visitor.integer(&capacityBlocks, at: 8)
    visitor.integer(&utilizationBlocks, at: 16)
    visitor.integer(&features, at: 24)
    visitor.integer(&formatCount, at: 25)
    visitor.integer(&formattedSize, at: 26)
    visitor.integer(&metadataCapabilities, at: 27)
    visitor.integer(&protectionCapabilities, at: 28)
    visitor.integer(&protectionSettings, at: 29)
    visitor.integer(&multipathCapabilities, at: 30)
    visitor.integer(&reservationCapabilities, at: 31)
    visitor.integer(&formatProgressIndicator, at: 32)
    visitor.integer(&deallocateFeatures, at: 33)
    visitor.integer(&atomicWriteUnitNormal, at: 34)
    visitor.integer(&atomicWriteUnitPowerFail, at: 36)
    visitor.integer(&atomicCompareAndWriteUnit, at: 38)
    visitor.integer(&atomicBoundarySizeNormal, at: 40)
    visitor.integer(&atomicBoundaryOffset, at: 42)
    visitor.integer(&atomicBoundarySizePowerFail, at: 44)
    visitor.integer(&optimalIOBoundary, at: 46)
    visitor.integer(&capacityBytes, at: 48)
    visitor.integer(&preferredWriteGranularity, at: 64)
    visitor.integer(&preferredWriteAlignment, at: 66)
    visitor.integer(&preferredDeallocateGranularity, at: 68)
    visitor.integer(&preferredDeallocateAlignment, at: 70)
    visitor.integer(&optimalWriteSize, at: 72)
    visitor.integer(&maximumSourceRangeLength, at: 74)
    visitor.integer(&maximumCopyLength, at: 76)
    visitor.integer(&maximumSourceRangeCount, at: 80)
    visitor.integer(&keyPerIOStatus, at: 81)
    visitor.integer(&uniqueFormatCount, at: 82)
    visitor.integer(&anaGroupIdentifier, at: 92)
    visitor.integer(&attributes, at: 99)
    visitor.integer(&nvmSetIdentifier, at: 100)
    visitor.integer(&enduranceGroupIdentifier, at: 102)
    visitor.identifier(&nguid, at: 104)
    var swapped = eui64.byteSwapped
    visitor.integer(&swapped, at: 120)
    eui64 = swapped.byteSwapped
    var raw = formats.map(\.rawValue)
    visitor.integers(&raw, at: 128, count: 64)
    formats = raw.map(LBAFormat.init(rawValue:))
  }
}
