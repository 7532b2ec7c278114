/// A completion queue entry, exactly 16 bytes (NVMe Base 2.1, section 4.2.1, figure 96).
@frozen
public struct CompletionQueueEntry: WireStructure, Hashable, BitwiseCopyable {
  public static let structureName = "completion queue entry"

  /// Command-specific result, dword 0.
  public var dword0: UInt32
  /// Command-specific result, dword 1.
  public var dword1: UInt32
  /// SQHD: the controller's submission queue head; FFFFh or stale when flow control is off.
  public var submissionQueueHead: UInt16
  /// SQID; reserved over fabrics.
  public var submissionQueueIdentifier: UInt16
  public var commandIdentifier: UInt16
  /// Bytes 14 and 15: the phase tag in bit 0 (always 0 over fabrics), the status above it.
  @usableFromInline
  var statusAndPhase: UInt16

  /// Bytes on the wire.
  @inlinable
  public static var byteCount: Int { 16 }

  @inlinable
  public init(
    commandIdentifier: UInt16 = 0, status: StatusField = .success, dword0: UInt32 = 0, dword1: UInt32 = 0,
    submissionQueueHead: UInt16 = 0, submissionQueueIdentifier: UInt16 = 0
  ) {
    self.dword0 = dword0
    self.dword1 = dword1
    self.submissionQueueHead = submissionQueueHead
    self.submissionQueueIdentifier = submissionQueueIdentifier
    self.commandIdentifier = commandIdentifier
    statusAndPhase = status.rawValue << 1
  }

  /// Reads 16 bytes; the caller guarantees them. No alignment needed.
  @inlinable
  public init(loading pointer: UnsafeRawPointer) {
    dword0 = pointer.loadLittleEndian(0)
    dword1 = pointer.loadLittleEndian(4)
    submissionQueueHead = pointer.loadLittleEndian(8)
    submissionQueueIdentifier = pointer.loadLittleEndian(10)
    commandIdentifier = pointer.loadLittleEndian(12)
    statusAndPhase = pointer.loadLittleEndian(14)
  }

  /// Writes 16 bytes; the caller guarantees the room. No alignment needed.
  @inlinable
  public func store(to pointer: UnsafeMutableRawPointer) {
    pointer.storeLittleEndian(dword0, 0)
    pointer.storeLittleEndian(dword1, 4)
    pointer.storeLittleEndian(submissionQueueHead, 8)
    pointer.storeLittleEndian(submissionQueueIdentifier, 10)
    pointer.storeLittleEndian(commandIdentifier, 12)
    pointer.storeLittleEndian(statusAndPhase, 14)
  }

  /// The status without the phase tag.
  @inlinable
  public var status: StatusField {
    get { StatusField(rawValue: statusAndPhase >> 1) }
    set { statusAndPhase = newValue.rawValue << 1 | statusAndPhase & 1 }
  }

  /// The phase tag; meaningful on memory-based transports only.
  @inlinable
  public var phase: Bool { statusAndPhase & 1 != 0 }

  /// Dwords 0 and 1 as one quantity: the value Property Get returns.
  @inlinable
  public var result: UInt64 {
    get { UInt64(dword0) | UInt64(dword1) << 32 }
    set {
      dword0 = UInt32(truncatingIfNeeded: newValue)
      dword1 = UInt32(truncatingIfNeeded: newValue >> 32)
    }
  }

  /// The entry as 16 bytes, for tests and messages; the hot path uses `store(to:)`.
  public func encode() -> [UInt8] {
    [UInt8](unsafeUninitializedCapacity: Self.byteCount) { buffer, count in
      store(to: UnsafeMutableRawPointer(buffer.baseAddress!))
      count = Self.byteCount
    }
  }

  /// - Throws: `DecodingError` if fewer than 16 bytes are given; every content is accepted.
  public init(decoding bytes: RawSpan) throws(DecodingError) {
    try bytes.require(Self.byteCount, of: Self.structureName)
    self = bytes.withUnsafeBytes { CompletionQueueEntry(loading: $0.baseAddress!) }
  }
}
