/// The first eight bytes of every PDU (NVMe/TCP Transport Specification, section 3.6.2.1).
@frozen
public struct PDUCommonHeader: Sendable, Hashable {
  /// PDU-Type as received; see ``pduType``.
  public var type: UInt8
  /// FLAGS.
  public var flags: PDUFlags
  /// HLEN: bytes of the header, without its digest.
  public var headerLength: UInt8
  /// PDO: bytes from the start of the PDU to its data; 0 where it has none.
  public var dataOffset: UInt8
  /// PLEN: bytes of the whole PDU: header, header digest, padding, data, data digest.
  public var length: UInt32

  /// Bytes on the wire.
  @inlinable
  public static var byteCount: Int { 8 }

  @inlinable
  public init(type: PDUType, flags: PDUFlags = [], headerLength: UInt8, dataOffset: UInt8, length: UInt32) {
    self.type = type.rawValue
    self.flags = flags
    self.headerLength = headerLength
    self.dataOffset = dataOffset
    self.length = length
  }

  /// A header as negotiated: digest flags, PDO and PLEN follow from the type, the bytes of data and the parameters.
  ///
  /// ICReq, ICResp and the termination requests never have digests. `dataLength` is 0 for types without data.
  /// `dataLength` must leave PLEN below 4 GiB; it is what this side is about to send, so it is the caller's to bound.
  @inlinable
  public init(type: PDUType, flags: PDUFlags = [], dataLength: Int, parameters: ConnectionParameters) {
    let layout = PDULayout(type: type, dataLength: dataLength, parameters: parameters)
    var flags = flags
    if layout.headerDigestByteCount > 0 { flags.insert(.headerDigest) }
    if layout.dataDigestByteCount > 0 { flags.insert(.dataDigest) }
    self.type = type.rawValue
    self.flags = flags
    headerLength = UInt8(truncatingIfNeeded: layout.headerByteCount)
    dataOffset = UInt8(truncatingIfNeeded: dataLength > 0 ? layout.dataOffset : 0)
    length = UInt32(truncatingIfNeeded: layout.byteCount)
  }

  /// Reads ``byteCount`` bytes at `source`, which needs no alignment.
  @inlinable
  public init(loading source: UnsafeRawPointer) {
    let word = UInt64(littleEndian: source.loadUnaligned(as: UInt64.self))
    type = UInt8(truncatingIfNeeded: word)
    flags = PDUFlags(rawValue: UInt8(truncatingIfNeeded: word >> 8))
    headerLength = UInt8(truncatingIfNeeded: word >> 16)
    dataOffset = UInt8(truncatingIfNeeded: word >> 24)
    length = UInt32(truncatingIfNeeded: word >> 32)
  }

  /// Writes ``byteCount`` bytes at `destination`, which needs no alignment.
  @inlinable
  public func store(to destination: UnsafeMutableRawPointer) {
    let word =
      UInt64(type) | UInt64(flags.rawValue) << 8 | UInt64(headerLength) << 16 | UInt64(dataOffset) << 24
      | UInt64(length) << 32
    destination.storeBytes(of: word.littleEndian, as: UInt64.self)
  }

  /// The type, or nil where the specification knows none of this number.
  @inlinable
  public var pduType: PDUType? { PDUType(rawValue: type) }

  /// Bytes of data, without the data digest, of a header that ``PDUValidation`` has accepted.
  ///
  /// Never traps: a header that was not validated gives a meaningless number, at least 0.
  @inlinable
  public var dataLength: Int {
    guard dataOffset != 0 else { return 0 }
    let digest = flags.contains(.dataDigest) ? PDULayout.digestByteCount : 0
    return max(0, Int(length) - Int(dataOffset) - digest)
  }
}
