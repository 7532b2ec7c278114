/// What a namespace's blocks look like.
public struct NamespaceGeometry: Hashable, Sendable {
  /// NSZE.
  public var blockCount: UInt64
  /// Bytes of data in a block, 512 to 2^30, a power of two.
  public var blockBytes: Int
  /// Bytes of metadata per block.
  public var metadataBytes: Int
  /// The metadata is interleaved with the data (FLBAS bit 4).
  public var metadataIsExtended: Bool

  public init(blockCount: UInt64, blockBytes: Int, metadataBytes: Int = 0, metadataIsExtended: Bool = false) {
    self.blockCount = blockCount
    self.blockBytes = blockBytes
    self.metadataBytes = metadataBytes
    self.metadataIsExtended = metadataIsExtended
  }

  /// Capacity in bytes. `IdentifyNamespace.geometry()` has made sure that it fits; values made by hand saturate.
  public var byteCount: UInt64 {
    let (bytes, overflow) = blockCount.multipliedReportingOverflow(by: UInt64(max(blockBytes, 0)))
    return overflow ? .max : bytes
  }
}

extension IdentifyNamespace {
  /// The index of the format in use: FLBAS bits 3:0, and bits 6:5 above them where there are more than 16 formats.
  public var formatIndex: Int {
    let low = Int(formattedSize & 0xF)
    return formatCount > 15 ? low | Int(formattedSize >> 5 & 0b11) << 4 : low
  }

  /// All zero but for reserved fields: the NSID is valid but not active on this controller.
  public var isInactive: Bool { sizeBlocks == 0 && capacityBlocks == 0 }

  /// The blocks of the format in use.
  /// - Throws: `DecodingError` if FLBAS names a format beyond NLBAF, LBADS is not 9 to 30, or the size in bytes does
  ///   not fit 64 bits: such a namespace cannot be used.
  public func geometry() throws(DecodingError) -> NamespaceGeometry {
    let index = formatIndex
    guard index < formats.count, index <= Int(formatCount) + Int(uniqueFormatCount) else {
      throw DecodingError(
        structure: Self.structureName, offset: 26, reason: .invalidValue(field: "FLBAS", value: UInt64(formattedSize)))
    }
    let format = formats[index]
    guard let blockBytes = format.dataBytes else {
      throw DecodingError(
        structure: Self.structureName, offset: 128 + 4 * index + 2,
        reason: .invalidValue(field: "LBADS", value: UInt64(format.dataSizeExponent)))
    }
    guard !sizeBlocks.multipliedReportingOverflow(by: UInt64(blockBytes)).overflow else {
      throw DecodingError(
        structure: Self.structureName, offset: 0, reason: .invalidValue(field: "NSZE", value: sizeBlocks))
    }
    return NamespaceGeometry(
      blockCount: sizeBlocks, blockBytes: blockBytes, metadataBytes: Int(format.metadataBytes),
      metadataIsExtended: formattedSize & 1 << 4 != 0)
  }

  /// NSFEAT bit 0: thin provisioning, NCAP may be below NSZE.
  public var supportsThinProvisioning: Bool { features & 1 != 0 }
  /// NSFEAT bit 4 (OPTPERF): NPWG, NPWA, NPDG, NPDA and NOWS are valid.
  public var reportsOptimalPerformance: Bool { features >> 4 & 0b11 != 0 }
  /// DLFEAT bits 2:0: 1 deallocated blocks read as zeroes, 2 as FFh, 0 not reported.
  public var deallocatedReadBehavior: UInt8 { deallocateFeatures & 0b111 }
  /// DLFEAT bit 3: Write Zeroes with DEAC is supported.
  public var supportsWriteZeroesDeallocate: Bool { deallocateFeatures & 1 << 3 != 0 }
  /// NMIC bit 0: more than one controller may attach it.
  public var isShared: Bool { multipathCapabilities & 1 != 0 }
  /// NSATTR bit 0: write protected at the moment.
  public var isWriteProtected: Bool { attributes & 1 != 0 }
}
