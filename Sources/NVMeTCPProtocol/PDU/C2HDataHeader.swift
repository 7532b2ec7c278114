/// Header of controller-to-host data, C2HData (NVMe/TCP Transport Specification, section 3.6.2.9): 24 bytes.
///
/// Flags: HDGSTF, DDGSTF, LAST_PDU, SUCCESS.
@frozen
public struct C2HDataHeader: Sendable, Hashable {
  public var common: PDUCommonHeader
  /// CCCID: identifier of the command whose data this is.
  public var commandIdentifier: UInt16
  /// DATAO: bytes from the start of the command's data; a multiple of 4.
  public var dataOffset: UInt32
  /// DATAL: bytes of data in this PDU.
  public var dataLength: UInt32

  /// Bytes on the wire; also HLEN.
  @inlinable
  public static var byteCount: Int { 24 }

  /// - Parameters:
  ///   - isLast: the last data PDU of the command.
  ///   - isSuccess: the command has succeeded and no response capsule will follow; only with `isLast`.
  @inlinable
  public init(
    commandIdentifier: UInt16, dataOffset: UInt32, dataLength: UInt32, isLast: Bool, isSuccess: Bool,
    parameters: ConnectionParameters
  ) {
    var flags: PDUFlags = []
    if isLast { flags.insert(.last) }
    if isLast && isSuccess { flags.insert(.success) }
    common = PDUCommonHeader(
      type: .controllerToHostData, flags: flags, dataLength: Int(dataLength), parameters: parameters)
    self.commandIdentifier = commandIdentifier
    self.dataOffset = dataOffset
    self.dataLength = dataLength
  }

  /// Reads ``byteCount`` bytes at `source`, which needs no alignment.
  @inlinable
  public init(loading source: UnsafeRawPointer) {
    common = PDUCommonHeader(loading: source)
    commandIdentifier = source.loadLittleEndian(at: 8, as: UInt16.self)
    dataOffset = source.loadLittleEndian(at: 12, as: UInt32.self)
    dataLength = source.loadLittleEndian(at: 16, as: UInt32.self)
  }

  /// Writes ``byteCount`` bytes at `destination`, reserved ones as zero.
  @inlinable
  public func store(to destination: UnsafeMutableRawPointer) {
    common.store(to: destination)
    destination.storeLittleEndian(UInt32(commandIdentifier), at: 8)
    destination.storeLittleEndian(dataOffset, at: 12)
    destination.storeLittleEndian(dataLength, at: 16)
    destination.storeLittleEndian(UInt32(0), at: 20)
  }
}
