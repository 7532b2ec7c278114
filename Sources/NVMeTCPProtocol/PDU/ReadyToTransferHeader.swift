/// Ready To Transfer, R2T (NVMe/TCP Transport Specification, section 3.6.2.10): 24 bytes, no data.
///
/// Flags: HDGSTF.
@frozen
public struct ReadyToTransferHeader: Sendable, Hashable {
  public var common: PDUCommonHeader
  /// CCCID: identifier of the command whose data the controller wants.
  public var commandIdentifier: UInt16
  /// TTAG: the controller's tag, to be sent back in the H2CData that answer.
  public var transferTag: UInt16
  /// R2TO: bytes from the start of the command's data; a multiple of 4.
  public var offset: UInt32
  /// R2TL: bytes wanted; not 0.
  public var length: UInt32

  /// Bytes on the wire; also HLEN.
  @inlinable
  public static var byteCount: Int { 24 }

  @inlinable
  public init(
    commandIdentifier: UInt16, transferTag: UInt16, offset: UInt32, length: UInt32, parameters: ConnectionParameters
  ) {
    common = PDUCommonHeader(type: .readyToTransfer, dataLength: 0, parameters: parameters)
    self.commandIdentifier = commandIdentifier
    self.transferTag = transferTag
    self.offset = offset
    self.length = length
  }

  /// Reads ``byteCount`` bytes at `source`, which needs no alignment.
  @inlinable
  public init(loading source: UnsafeRawPointer) {
    common = PDUCommonHeader(loading: source)
    commandIdentifier = source.loadLittleEndian(at: 8, as: UInt16.self)
    transferTag = source.loadLittleEndian(at: 10, as: UInt16.self)
    offset = source.loadLittleEndian(at: 12, as: UInt32.self)
    length = source.loadLittleEndian(at: 16, as: UInt32.self)
  }

  /// Writes ``byteCount`` bytes at `destination`, reserved ones as zero.
  @inlinable
  public func store(to destination: UnsafeMutableRawPointer) {
    common.store(to: destination)
    destination.storeLittleEndian(commandIdentifier, at: 8)
    destination.storeLittleEndian(transferTag, at: 10)
    destination.storeLittleEndian(offset, at: 12)
    destination.storeLittleEndian(length, at: 16)
    destination.storeLittleEndian(UInt32(0), at: 20)
  }
}
