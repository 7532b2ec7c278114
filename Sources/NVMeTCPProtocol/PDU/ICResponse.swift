/// Initialize Connection Response, ICResp (NVMe/TCP Transport Specification, section 3.6.2.3): 128 bytes, no data.
@frozen
public struct ICResponse: Sendable, Hashable {
  public var common: PDUCommonHeader
  /// PFV: PDU format version; 0 is the only one there is.
  public var pduFormatVersion: UInt16
  /// CPDA as on the wire: dwords, 0's based, 0 to 31. See ``controllerPDUDataAlignmentBytes``.
  public var controllerPDUDataAlignment: UInt8
  /// DGST: the digests this connection has from now on, both ways.
  public var digests: PDUDigests
  /// MAXH2CDATA: the most bytes of data in one H2CData PDU; at least 4096, a multiple of 4.
  public var maximumH2CDataLength: UInt32

  /// Bytes on the wire; also HLEN and PLEN.
  @inlinable
  public static var byteCount: Int { 128 }

  /// - Parameters:
  ///   - controllerPDUDataAlignment: CPDA, dwords, 0's based, 0 to 31: 0 asks for no more than dword alignment.
  ///   - maximumH2CDataLength: MAXH2CDATA in bytes; at least 4096, a multiple of 4.
  @inlinable
  public init(digests: PDUDigests = [], controllerPDUDataAlignment: UInt8 = 0, maximumH2CDataLength: UInt32) {
    common = PDUCommonHeader(
      type: .initializeConnectionResponse, headerLength: UInt8(Self.byteCount), dataOffset: 0,
      length: UInt32(Self.byteCount))
    pduFormatVersion = 0
    self.controllerPDUDataAlignment = controllerPDUDataAlignment
    self.digests = digests
    self.maximumH2CDataLength = maximumH2CDataLength
  }

  /// Reads the first 16 of ``byteCount`` bytes at `source`, which needs no alignment; the rest is reserved.
  @inlinable
  public init(loading source: UnsafeRawPointer) {
    common = PDUCommonHeader(loading: source)
    pduFormatVersion = source.loadLittleEndian(at: 8, as: UInt16.self)
    controllerPDUDataAlignment = source.load(fromByteOffset: 10, as: UInt8.self)
    digests = PDUDigests(rawValue: source.load(fromByteOffset: 11, as: UInt8.self))
    maximumH2CDataLength = source.loadLittleEndian(at: 12, as: UInt32.self)
  }

  /// Writes ``byteCount`` bytes at `destination`, reserved ones as zero.
  @inlinable
  public func store(to destination: UnsafeMutableRawPointer) {
    common.store(to: destination)
    destination.storeLittleEndian(pduFormatVersion, at: 8)
    destination.storeBytes(of: controllerPDUDataAlignment, toByteOffset: 10, as: UInt8.self)
    destination.storeBytes(of: digests.rawValue, toByteOffset: 11, as: UInt8.self)
    destination.storeLittleEndian(maximumH2CDataLength, at: 12)
    (destination + 16).initializeMemory(as: UInt8.self, repeating: 0, count: Self.byteCount - 16)
  }

  /// The alignment CPDA asks for, in bytes.
  @inlinable
  public var controllerPDUDataAlignmentBytes: Int { (Int(controllerPDUDataAlignment) + 1) * 4 }
}
