/// Termination request, H2CTermReq and C2HTermReq (NVMe/TCP Transport Specification, sections 3.6.2.4 and 3.6.2.5).
///
/// 24 bytes of header, then the header of the offending PDU, at most 128 bytes of it, as data. PDO is 0 all the same.
/// The receiver closes the connection; it never answers with another termination request.
@frozen
public struct TerminationRequest: Sendable, Hashable {
  public var common: PDUCommonHeader
  /// FES as on the wire; see ``fatalErrorStatus``.
  public var fatalErrorStatusCode: UInt16
  /// FEI: the byte offset of the offending field, or the header digest received, or 0, by FES.
  public var fatalErrorInformation: UInt32

  /// Bytes of the header: HLEN.
  @inlinable
  public static var headerByteCount: Int { 24 }

  /// The most bytes of the offending PDU's header it carries.
  @inlinable
  public static var maximumDataByteCount: Int { 128 }

  /// The most bytes of the whole PDU.
  @inlinable
  public static var maximumByteCount: Int { 152 }

  /// - Parameters:
  ///   - sender: who ends the connection.
  ///   - offendingHeaderByteCount: bytes of the offending PDU's header to send along; those over 128 are left out.
  @inlinable
  public init(
    sender: ConnectionRole, fatalErrorStatus: FatalErrorStatus, fatalErrorInformation: UInt32,
    offendingHeaderByteCount: Int
  ) {
    let data = min(max(0, offendingHeaderByteCount), Self.maximumDataByteCount)
    common = PDUCommonHeader(
      type: sender == .host ? .hostToControllerTerminationRequest : .controllerToHostTerminationRequest,
      headerLength: UInt8(Self.headerByteCount), dataOffset: 0, length: UInt32(Self.headerByteCount + data))
    fatalErrorStatusCode = fatalErrorStatus.rawValue
    self.fatalErrorInformation = fatalErrorInformation
  }

  /// The request that reports `violation`.
  @inlinable
  public init(sender: ConnectionRole, violation: PDUViolation, offendingHeaderByteCount: Int) {
    self.init(
      sender: sender, fatalErrorStatus: violation.fatalErrorStatus,
      fatalErrorInformation: violation.fatalErrorInformation, offendingHeaderByteCount: offendingHeaderByteCount)
  }

  /// Reads ``headerByteCount`` bytes at `source`, which needs no alignment.
  @inlinable
  public init(loading source: UnsafeRawPointer) {
    common = PDUCommonHeader(loading: source)
    fatalErrorStatusCode = source.loadLittleEndian(at: 8, as: UInt16.self)
    // FEI is not aligned to its size: offset 10.
    fatalErrorInformation = source.loadLittleEndian(at: 10, as: UInt32.self)
  }

  /// Writes ``headerByteCount`` bytes at `destination`, reserved ones as zero. The data follows by the caller.
  @inlinable
  public func store(to destination: UnsafeMutableRawPointer) {
    common.store(to: destination)
    destination.storeLittleEndian(fatalErrorStatusCode, at: 8)
    destination.storeLittleEndian(fatalErrorInformation, at: 10)
    destination.storeLittleEndian(UInt16(0), at: 14)
    destination.storeLittleEndian(UInt64(0), at: 16)
  }

  /// Writes the whole PDU, the first bytes of the offending PDU's header included, and returns its length.
  ///
  /// - Parameters:
  ///   - destination: at least ``maximumByteCount`` bytes.
  ///   - offendingHeader: as many bytes as `offendingHeaderByteCount` at the initializer said, or 128 if that is less.
  @inlinable
  public func store(to destination: UnsafeMutableRawPointer, offendingHeader: UnsafeRawPointer) -> Int {
    store(to: destination)
    let data = dataByteCount
    (destination + Self.headerByteCount).copyMemory(from: offendingHeader, byteCount: data)
    return Self.headerByteCount + data
  }

  /// Bytes of the offending PDU's header it carries: 0 to 128, whatever PLEN says.
  @inlinable
  public var dataByteCount: Int {
    min(max(0, Int(common.length) - Self.headerByteCount), Self.maximumDataByteCount)
  }

  /// FES, or nil where the specification knows none of this number.
  @inlinable
  public var fatalErrorStatus: FatalErrorStatus? { FatalErrorStatus(rawValue: fatalErrorStatusCode) }
}
