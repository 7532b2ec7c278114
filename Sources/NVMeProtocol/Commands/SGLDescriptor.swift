/// A Scatter Gather List descriptor, 16 bytes (NVMe Base 2.1, section 4.3.2).
///
/// Over fabrics a command carries exactly one, in dwords 6 to 9, and the transport fills it in.
@frozen
public struct SGLDescriptor: Hashable, Sendable, BitwiseCopyable {
  /// Bytes 0–7: an address, or for `dataBlockOffset` the offset into the capsule's data.
  public var address: UInt64
  /// Bytes 8–15: length, type-specific bytes and the identifier in the top byte.
  public var word1: UInt64

  @inlinable
  public init(address: UInt64, word1: UInt64) {
    self.address = address
    self.word1 = word1
  }

  /// No data: all zeroes, which reads as a data block of length 0.
  @inlinable
  public init() { self.init(address: 0, word1: 0) }

  /// A descriptor with a plain 32-bit length (every kind but the keyed one).
  @inlinable
  public init(kind: Kind, subtype: Subtype, address: UInt64, length: UInt32) {
    self.init(address: address, word1: UInt64(length) | (UInt64(kind.rawValue << 4 | subtype.rawValue) << 56))
  }

  /// SGL Descriptor Type, bits 7:4 of byte 15. A struct, as the wire may carry any value.
  @frozen
  public struct Kind: RawRepresentable, Hashable, Sendable, BitwiseCopyable {
    public var rawValue: UInt8
    @inlinable
    public init(rawValue: UInt8) { self.rawValue = rawValue & 0xF }
    @inlinable
    public static var dataBlock: Kind { Kind(rawValue: 0x0) }
    @inlinable
    public static var bitBucket: Kind { Kind(rawValue: 0x1) }
    @inlinable
    public static var segment: Kind { Kind(rawValue: 0x2) }
    @inlinable
    public static var lastSegment: Kind { Kind(rawValue: 0x3) }
    @inlinable
    public static var keyedDataBlock: Kind { Kind(rawValue: 0x4) }
    @inlinable
    public static var transportDataBlock: Kind { Kind(rawValue: 0x5) }
    @inlinable
    public static var vendorSpecific: Kind { Kind(rawValue: 0xF) }
  }

  /// SGL Descriptor Sub Type, bits 3:0 of byte 15.
  @frozen
  public struct Subtype: RawRepresentable, Hashable, Sendable, BitwiseCopyable {
    public var rawValue: UInt8
    @inlinable
    public init(rawValue: UInt8) { self.rawValue = rawValue & 0xF }
    @inlinable
    public static var address: Subtype { Subtype(rawValue: 0x0) }
    @inlinable
    public static var offset: Subtype { Subtype(rawValue: 0x1) }
    /// RDMA: the keyed descriptor's key is to be invalidated by the controller (sub type Fh, transport specific).
    @inlinable
    public static var invalidateKey: Subtype { Subtype(rawValue: 0xF) }
    /// NVMe/TCP: data that travels in H2CData or C2HData PDUs (NVMe/TCP Transport 1.1, section 3.3).
    @inlinable
    public static var transportSpecificA: Subtype { Subtype(rawValue: 0xA) }
  }

  @inlinable
  public var kind: Kind { Kind(rawValue: UInt8(truncatingIfNeeded: word1 >> 60)) }
  @inlinable
  public var subtype: Subtype { Subtype(rawValue: UInt8(truncatingIfNeeded: word1 >> 56)) }

  /// Bytes described: 24 bits for a keyed data block, 32 bits for every other kind.
  @inlinable
  public var length: UInt32 {
    let low = UInt32(truncatingIfNeeded: word1)
    return kind == .keyedDataBlock ? low & 0xFF_FFFF : low
  }

  /// The remote key of a keyed data block (bytes 11–14); meaningless for other kinds.
  @inlinable
  public var key: UInt32 { UInt32(truncatingIfNeeded: word1 >> 24) }

  /// Data that follows the submission queue entry in the same capsule, `offset` bytes past ICDOFF.
  @inlinable
  public static func inCapsule(offset: UInt64 = 0, length: UInt32) -> SGLDescriptor {
    SGLDescriptor(kind: .dataBlock, subtype: .offset, address: offset, length: length)
  }

  /// Data that the transport moves in its own messages (Transport SGL Data Block, type 5h, sub type Ah).
  @inlinable
  public static func transport(length: UInt32) -> SGLDescriptor {
    SGLDescriptor(kind: .transportDataBlock, subtype: .transportSpecificA, address: 0, length: length)
  }

  /// Host memory by address (PCIe style).
  @inlinable
  public static func memory(address: UInt64, length: UInt32) -> SGLDescriptor {
    SGLDescriptor(kind: .dataBlock, subtype: .address, address: address, length: length)
  }

  /// `length` bytes that the controller is to throw away on a read.
  @inlinable
  public static func bitBucket(length: UInt32) -> SGLDescriptor {
    SGLDescriptor(kind: .bitBucket, subtype: .address, address: 0, length: length)
  }

  /// Remote memory by address and key (RDMA). Only the low 24 bits of `length` are carried.
  @inlinable
  public static func keyed(
    address: UInt64, length: UInt32, key: UInt32, invalidate: Bool = false
  ) -> SGLDescriptor {
    let subtype = invalidate ? Subtype.invalidateKey : Subtype.address
    let identifier = UInt64(Kind.keyedDataBlock.rawValue << 4 | subtype.rawValue)
    return SGLDescriptor(
      address: address, word1: UInt64(length & 0xFF_FFFF) | UInt64(key) << 24 | identifier << 56)
  }

  /// Reads 16 bytes; the caller guarantees them. No alignment needed.
  @inlinable
  public init(loading pointer: UnsafeRawPointer) {
    self.init(address: pointer.loadLittleEndian(0), word1: pointer.loadLittleEndian(8))
  }

  /// Writes 16 bytes; the caller guarantees the room. No alignment needed.
  @inlinable
  public func store(to pointer: UnsafeMutableRawPointer) {
    pointer.storeLittleEndian(address, 0)
    pointer.storeLittleEndian(word1, 8)
  }
}
