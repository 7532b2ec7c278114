/// A submission queue entry, exactly 64 bytes (NVMe Base 2.1, section 4.1.1, figures 91 and 92).
///
/// Kept as sixteen dwords in wire order. Builders (`read`, `identify`, `fabricsConnect`, …) live in extensions beside
/// this file; they leave the command identifier 0 and the SGL empty: the queue pair fills in the first, the transport
/// the second.
@frozen
public struct SubmissionQueueEntry: WireStructure, Hashable, BitwiseCopyable {
  public static let structureName = "submission queue entry"

  /// Opcode, flags and command identifier.
  public var cdw0: UInt32
  /// NSID; 0 where a command has no namespace. Fabrics commands keep FCTYPE in the low byte.
  public var namespaceIdentifier: UInt32
  public var cdw2: UInt32
  public var cdw3: UInt32
  /// MPTR; reserved over fabrics.
  public var metadataPointer: UInt64
  /// Dwords 6 to 9.
  public var sgl: SGLDescriptor
  public var cdw10: UInt32
  public var cdw11: UInt32
  public var cdw12: UInt32
  public var cdw13: UInt32
  public var cdw14: UInt32
  public var cdw15: UInt32

  /// Bytes on the wire.
  @inlinable
  public static var byteCount: Int { 64 }

  /// PSDT 01b: the data pointer is an SGL and there is no metadata SGL. Fabrics allow nothing else
  /// (NVMe Base 2.1, section 4.1.1: PRPs shall not be used over fabrics).
  @inlinable
  public static var sglFlags: UInt8 { 0b0100_0000 }

  /// All zero but for the opcode and the flags.
  @inlinable
  public init(opcode: UInt8, flags: UInt8 = SubmissionQueueEntry.sglFlags, namespaceIdentifier: UInt32 = 0) {
    cdw0 = UInt32(opcode) | UInt32(flags) << 8
    self.namespaceIdentifier = namespaceIdentifier
    cdw2 = 0
    cdw3 = 0
    metadataPointer = 0
    sgl = SGLDescriptor()
    cdw10 = 0
    cdw11 = 0
    cdw12 = 0
    cdw13 = 0
    cdw14 = 0
    cdw15 = 0
  }

  /// Reads 64 bytes; the caller guarantees them. No alignment needed.
  @inlinable
  public init(loading pointer: UnsafeRawPointer) {
    cdw0 = pointer.loadLittleEndian(0)
    namespaceIdentifier = pointer.loadLittleEndian(4)
    cdw2 = pointer.loadLittleEndian(8)
    cdw3 = pointer.loadLittleEndian(12)
    metadataPointer = pointer.loadLittleEndian(16)
    sgl = SGLDescriptor(loading: pointer + 24)
    cdw10 = pointer.loadLittleEndian(40)
    cdw11 = pointer.loadLittleEndian(44)
    cdw12 = pointer.loadLittleEndian(48)
    cdw13 = pointer.loadLittleEndian(52)
    cdw14 = pointer.loadLittleEndian(56)
    cdw15 = pointer.loadLittleEndian(60)
  }

  /// Writes 64 bytes; the caller guarantees the room. No alignment needed.
  @inlinable
  public func store(to pointer: UnsafeMutableRawPointer) {
    pointer.storeLittleEndian(cdw0, 0)
    pointer.storeLittleEndian(namespaceIdentifier, 4)
    pointer.storeLittleEndian(cdw2, 8)
    pointer.storeLittleEndian(cdw3, 12)
    pointer.storeLittleEndian(metadataPointer, 16)
    sgl.store(to: pointer + 24)
    pointer.storeLittleEndian(cdw10, 40)
    pointer.storeLittleEndian(cdw11, 44)
    pointer.storeLittleEndian(cdw12, 48)
    pointer.storeLittleEndian(cdw13, 52)
    pointer.storeLittleEndian(cdw14, 56)
    pointer.storeLittleEndian(cdw15, 60)
  }

  @inlinable
  public var opcode: UInt8 {
    get { UInt8(truncatingIfNeeded: cdw0) }
    set { cdw0 = cdw0 & ~0xFF | UInt32(newValue) }
  }

  /// Byte 1: FUSE in bits 1:0, PSDT in bits 7:6.
  @inlinable
  public var flags: UInt8 {
    get { UInt8(truncatingIfNeeded: cdw0 >> 8) }
    set { cdw0 = cdw0 & ~0xFF00 | UInt32(newValue) << 8 }
  }

  /// Fused operation: 0 none, 1 first command, 2 second command.
  @inlinable
  public var fusedOperation: UInt8 {
    get { flags & 0b11 }
    set { flags = flags & ~0b11 | newValue & 0b11 }
  }

  /// PSDT: 0 PRPs, 1 SGL, 2 SGL with a metadata SGL segment.
  @inlinable
  public var dataTransferKind: UInt8 { flags >> 6 }

  /// CID; unique among the commands outstanding on one queue. FFFFh is not to be used: controllers use it to say
  /// that an error belongs to no particular command.
  @inlinable
  public var commandIdentifier: UInt16 {
    get { UInt16(truncatingIfNeeded: cdw0 >> 16) }
    set { cdw0 = cdw0 & 0xFFFF | UInt32(newValue) << 16 }
  }

  /// Dwords 10 and 11 as one quantity: the starting LBA of I/O commands.
  @inlinable
  public var startingLBA: UInt64 {
    get { UInt64(cdw10) | UInt64(cdw11) << 32 }
    set {
      cdw10 = UInt32(truncatingIfNeeded: newValue)
      cdw11 = UInt32(truncatingIfNeeded: newValue >> 32)
    }
  }

  /// The block count of Read, Write, Compare, Verify and Write Zeroes: 1 to 65,536 (NLB is zeroes based).
  @inlinable
  public var blockCount: Int { Int(cdw12 & 0xFFFF) + 1 }

  /// FUA, bit 30 of dword 12 in Read, Write, Compare, Verify and Write Zeroes.
  @inlinable
  public var forceUnitAccess: Bool { cdw12 & 1 << 30 != 0 }

  /// DEAC, bit 25 of dword 12 in Write Zeroes.
  @inlinable
  public var deallocatesZeroes: Bool { cdw12 & 1 << 25 != 0 }

  /// Sets a PSDT-preserving fused marker on a copy: `entry.fused(1)` then `entry.fused(2)` for Compare and Write.
  @inlinable
  public func fused(_ operation: UInt8) -> SubmissionQueueEntry {
    var copy = self
    copy.fusedOperation = operation
    return copy
  }

  /// The entry as 64 bytes, for tests and messages; the hot path uses `store(to:)`.
  public func encode() -> [UInt8] {
    [UInt8](unsafeUninitializedCapacity: Self.byteCount) { buffer, count in
      store(to: UnsafeMutableRawPointer(buffer.baseAddress!))
      count = Self.byteCount
    }
  }

  /// - Throws: `DecodingError` if fewer than 64 bytes are given; every content is accepted.
  public init(decoding bytes: RawSpan) throws(DecodingError) {
    try bytes.require(Self.byteCount, of: Self.structureName)
    self = bytes.withUnsafeBytes { SubmissionQueueEntry(loading: $0.baseAddress!) }
  }
}
