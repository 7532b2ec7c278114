/// Initialize Connection Request, ICReq (NVMe/TCP Transport Specification, section 3.6.2.2): 128 bytes, no data.
@frozen
public struct ICRequest: Sendable, Hashable {
  public var common: PDUCommonHeader
  /// PFV: PDU format version; 0 is the only one there is.
  public var pduFormatVersion: UInt16
  /// HPDA as on the wire: dwords, 0's based, 0 to 31. See ``hostPDUDataAlignmentBytes``.
  public var hostPDUDataAlignment: UInt8
  /// DGST: the digests the host asks for.
  public var digests: PDUDigests
  /// MAXR2T as on the wire: 0's based. See ``maximumReadyToTransferCount``.
  public var maximumReadyToTransfer: UInt32

  /// Bytes on the wire; also HLEN and PLEN.
  @inlinable
  public static var byteCount: Int { 128 }

  /// - Parameters:
  ///   - hostPDUDataAlignment: HPDA, dwords, 0's based, 0 to 31: 0 asks for no more than dword alignment.
  ///   - maximumReadyToTransfer: MAXR2T, 0's based: 0 allows one outstanding R2T a command.
  @inlinable
  public init(digests: PDUDigests = [], hostPDUDataAlignment: UInt8 = 0, maximumReadyToTransfer: UInt32 = 0) {
    common = PDUCommonHeader(
      type: .initializeConnectionRequest, headerLength: UInt8(Self.byteCount), dataOffset: 0,
      length: UInt32(Self.byteCount))
    pduFormatVersion = 0
    self.hostPDUDataAlignment = hostPDUDataAlignment
    self.digests = digests
    self.maximumReadyToTransfer = maximumReadyToTransfer
  }

  /// Reads the first 16 of ``byteCount`` bytes at `source`, which needs no alignment; the rest is reserved.
  @inlinable
  public init(loading source: UnsafeRawPointer) {
    common = PDUCommonHeader(loading: source)
    pduFormatVersion = source.loadLittleEndian(at: 8, as: UInt16.self)
    hostPDUDataAlignment = source.load(fromByteOffset: 10, as: UInt8.self)
    digests = PDUDigests(rawValue: source.load(fromByteOffset: 11, as: UInt8.self))
    maximumReadyToTransfer = source.loadLittleEndian(at: 12, as: UInt32.self)
  }

  /// Writes ``byteCount`` bytes at `destination`, reserved ones as zero.
  @inlinable
  public func store(to destination: UnsafeMutableRawPointer) {
    common.store(to: destination)
    destination.storeLittleEndian(pduFormatVersion, at: 8)
    destination.storeBytes(of: hostPDUDataAlignment, toByteOffset: 10, as: UInt8.self)
    destination.storeBytes(of: digests.rawValue, toByteOffset: 11, as: UInt8.self)
    destination.storeLittleEndian(maximumReadyToTransfer, at: 12)
    (destination + 16).initializeMemory(as: UInt8.self, repeating: 0, count: Self.byteCount - 16)
  }

  /// The alignment HPDA asks for, in bytes.
  @inlinable
  public var hostPDUDataAlignmentBytes: Int { (Int(hostPDUDataAlignment) + 1) * 4 }

  /// The most R2Ts a command may have outstanding: at least 1.
  @inlinable
  public var maximumReadyToTransferCount: UInt64 { UInt64(maximumReadyToTransfer) + 1 }
}
