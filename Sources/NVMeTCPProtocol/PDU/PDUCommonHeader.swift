/// The first eight bytes of every PDU (NVMe/TCP Transport Specification, section 3.6.2.1).
@frozen
public struct PDUCommonHeader: Sendable, Hashable {
  /// The eight bytes as one little-endian number: a header is compared, copied and stored in one go.
  public var word: UInt64

  /// PDU-Type as received; see ``pduType``.
  @inlinable
  public var type: UInt8 {
    get { UInt8(truncatingIfNeeded: word) }
    set { word = word & ~0xFF | UInt64(newValue) }
  }

  /// FLAGS.
  @inlinable
  public var flags: PDUFlags {
    get { PDUFlags(rawValue: UInt8(truncatingIfNeeded: word >> 8)) }
    set { word = word & ~0xFF00 | UInt64(newValue.rawValue) << 8 }
  }

  /// HLEN: bytes of the header, without its digest.
  @inlinable
  public var headerLength: UInt8 {
    get { UInt8(truncatingIfNeeded: word >> 16) }
    set { word = word & ~0xFF_0000 | UInt64(newValue) << 16 }
  }

  /// PDO: bytes from the start of the PDU to its data; 0 where it has none.
  @inlinable
  public var dataOffset: UInt8 {
    get { UInt8(truncatingIfNeeded: word >> 24) }
    set { word = word & ~0xFF00_0000 | UInt64(newValue) << 24 }
  }

  /// PLEN: bytes of the whole PDU: header, header digest, padding, data, data digest.
  @inlinable
  public var length: UInt32 {
    get { UInt32(truncatingIfNeeded: word >> 32) }
    set { word = word & 0xFFFF_FFFF | UInt64(newValue) << 32 }
  }

  /// Bytes on the wire.
  @inlinable
  public static var byteCount: Int { 8 }

  @inlinable
  public init(type: PDUType, flags: PDUFlags = [], headerLength: UInt8, dataOffset: UInt8, length: UInt32) {
    word =
      UInt64(type.rawValue) | UInt64(flags.rawValue) << 8 | UInt64(headerLength) << 16 | UInt64(dataOffset) << 24
      | UInt64(length) << 32
  }

  /// A header whose eight bytes are this number, little-endian.
  @inlinable
  public init(word: UInt64) { self.word = word }

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
    self.init(
      type: type, flags: flags, headerLength: UInt8(truncatingIfNeeded: layout.headerByteCount),
      dataOffset: UInt8(truncatingIfNeeded: dataLength > 0 ? layout.dataOffset : 0),
      length: UInt32(truncatingIfNeeded: layout.byteCount))
  }

  /// Reads ``byteCount`` bytes at `source`, which needs no alignment.
  @inlinable
  public init(loading source: UnsafeRawPointer) {
    word = UInt64(littleEndian: source.loadUnaligned(as: UInt64.self))
  }

  /// Writes ``byteCount`` bytes at `destination`, which needs no alignment.
  @inlinable
  public func store(to destination: UnsafeMutableRawPointer) {
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
