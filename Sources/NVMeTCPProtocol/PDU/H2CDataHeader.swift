/// Header of host-to-controller data, H2CData (NVMe/TCP Transport Specification, section 3.6.2.8): 24 bytes.
///
/// Flags: HDGSTF, DDGSTF, LAST_PDU.
@frozen
public struct H2CDataHeader: Sendable, Hashable {
  public var common: PDUCommonHeader
  /// CCCID: identifier of the command whose data this is.
  public var commandIdentifier: UInt16
  /// TTAG: the transfer tag of the R2T this answers, as received.
  public var transferTag: UInt16
  /// DATAO: bytes from the start of the command's data; a multiple of 4.
  public var dataOffset: UInt32
  /// DATAL: bytes of data in this PDU.
  public var dataLength: UInt32

  /// Bytes on the wire; also HLEN.
  @inlinable
  public static var byteCount: Int { 24 }

  @inlinable
  public init(
    commandIdentifier: UInt16, transferTag: UInt16, dataOffset: UInt32, dataLength: UInt32, isLast: Bool,
    parameters: ConnectionParameters
  ) {
    common = PDUCommonHeader(
      type: .hostToControllerData, flags: isLast ? .last : [], dataLength: Int(dataLength), parameters: parameters)
    self.commandIdentifier = commandIdentifier
    self.transferTag = transferTag
    self.dataOffset = dataOffset
    self.dataLength = dataLength
  }

  /// The same with its first eight bytes made already.
  @inlinable
  init(common: PDUCommonHeader, commandIdentifier: UInt16, transferTag: UInt16, dataOffset: UInt32, dataLength: UInt32)
  {
    self.common = common
    self.commandIdentifier = commandIdentifier
    self.transferTag = transferTag
    self.dataOffset = dataOffset
    self.dataLength = dataLength
  }

  /// Reads ``byteCount`` bytes at `source`, which needs no alignment.
  @inlinable
  public init(loading source: UnsafeRawPointer) {
    common = PDUCommonHeader(loading: source)
    commandIdentifier = source.loadLittleEndian(at: 8, as: UInt16.self)
    transferTag = source.loadLittleEndian(at: 10, as: UInt16.self)
    dataOffset = source.loadLittleEndian(at: 12, as: UInt32.self)
    dataLength = source.loadLittleEndian(at: 16, as: UInt32.self)
  }

  /// Writes ``byteCount`` bytes at `destination`, reserved ones as zero.
  @inlinable
  public func store(to destination: UnsafeMutableRawPointer) {
    common.store(to: destination)
    destination.storeLittleEndian(commandIdentifier, at: 8)
    destination.storeLittleEndian(transferTag, at: 10)
    destination.storeLittleEndian(dataOffset, at: 12)
    destination.storeLittleEndian(dataLength, at: 16)
    destination.storeLittleEndian(UInt32(0), at: 20)
  }
}
