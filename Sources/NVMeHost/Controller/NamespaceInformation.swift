public import NVMeProtocol

/// One namespace as a controller presents it.
public struct NamespaceInformation: Sendable, Hashable {
  /// NSID.
  public var identifier: UInt32
  public var blockByteCount: UInt32
  /// NSZE, in logical blocks.
  public var blockCount: UInt64
  /// NCAP, in logical blocks.
  public var capacityBlockCount: UInt64
  /// NUSE, in logical blocks.
  public var usedBlockCount: UInt64
  /// NOIOB: requests should not cross multiples of so many blocks; 0 = none.
  public var optimalBoundaryBlockCount: UInt32
  /// Preferred write granularity in blocks; 0 = none given.
  public var preferredWriteBlockCount: UInt32
  /// NMIC bit 0: several controllers may have it attached.
  public var isShared: Bool
  /// NSATTR bit 0.
  public var isWriteProtected: Bool
  /// DLFEAT bit 3: Write Zeroes with DEAC is supported.
  public var deallocatesZeroes: Bool
  /// All zero when there is none.
  public var nguid: Identifier128
  /// 0 when there is none.
  public var eui64: UInt64
  /// All zero when there is none.
  public var uuid: Identifier128
  /// ANAGRPID; 0 = in no ANA group.
  public var anaGroupIdentifier: UInt32
  public var commandSetIdentifier: CommandSetIdentifier
  /// Why it cannot be used as a block device; nil when it can.
  public var unusableReason: String?

  /// What Identify Namespace (CNS 00h) says. A format that cannot be makes the namespace unusable, not the controller.
  init(identifier: UInt32, _ identify: IdentifyNamespace) {
    var geometry = NamespaceGeometry(blockCount: identify.sizeBlocks, blockBytes: 0)
    do throws(DecodingError) { geometry = try identify.geometry() } catch { unusableReason = error.description }
    self.identifier = identifier
    blockByteCount = UInt32(clamping: geometry.blockBytes)
    blockCount = geometry.blockCount
    capacityBlockCount = identify.capacityBlocks
    usedBlockCount = identify.utilizationBlocks
    optimalBoundaryBlockCount = UInt32(identify.optimalIOBoundary)
    // NPWG is zeroes based and only meant where NSFEAT says so.
    preferredWriteBlockCount =
      identify.reportsOptimalPerformance ? UInt32(identify.preferredWriteGranularity) + 1 : 0
    isShared = identify.multipathCapabilities & 1 != 0
    isWriteProtected = identify.isWriteProtected
    deallocatesZeroes = identify.supportsWriteZeroesDeallocate
    nguid = identify.nguid
    eui64 = identify.eui64
    uuid = Identifier128()
    anaGroupIdentifier = identify.anaGroupIdentifier
    commandSetIdentifier = .nvm
    if unusableReason != nil { return }
    if geometry.metadataBytes > 0 {
      unusableReason = "its format has \(geometry.metadataBytes) bytes of metadata a block, which is not supported yet"
    } else if blockByteCount < 512 || blockByteCount > 1 << 16 {
      unusableReason = "its blocks of \(blockByteCount) bytes are outside of 512 bytes to 64 KiB"
    }
  }

  /// Adds what the namespace identification descriptors (CNS 03h) say.
  mutating func take(_ list: NamespaceDescriptorList) {
    if let identifier = list.nguid { nguid = identifier }
    if let identifier = list.eui64 { eui64 = identifier }
    if let identifier = list.uuid { uuid = identifier }
    if let set = list.commandSet {
      commandSetIdentifier = set
      if set != .nvm { unusableReason = "its command set (CSI \(set.rawValue)) is not the NVM command set" }
    }
  }

  /// True when both are the same namespace, as far as can be told: its number of blocks may differ. One that has been
  /// formatted with blocks of another size is another one, whatever its identifiers say: what was there is gone, and
  /// addresses, which count blocks, mean other places.
  public func hasSameIdentity(as other: NamespaceInformation) -> Bool {
    identifier == other.identifier && nguid == other.nguid && eui64 == other.eui64 && uuid == other.uuid
      && commandSetIdentifier == other.commandSetIdentifier && blockByteCount == other.blockByteCount
  }
}
