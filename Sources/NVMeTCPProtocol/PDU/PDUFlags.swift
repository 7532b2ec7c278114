/// The FLAGS field of the PDU common header. Which bits a type has is told at each type's header structure.
@frozen
public struct PDUFlags: OptionSet, Sendable, Hashable {
  public let rawValue: UInt8

  @inlinable
  public init(rawValue: UInt8) { self.rawValue = rawValue }

  /// HDGSTF: a header digest follows the header.
  @inlinable
  public static var headerDigest: PDUFlags { PDUFlags(rawValue: 1 << 0) }

  /// DDGSTF: a data digest follows the data.
  @inlinable
  public static var dataDigest: PDUFlags { PDUFlags(rawValue: 1 << 1) }

  /// LAST_PDU: the last data PDU of the R2T it answers (H2CData) or of the command (C2HData).
  @inlinable
  public static var last: PDUFlags { PDUFlags(rawValue: 1 << 2) }

  /// SUCCESS: the command is complete and succeeded; no response capsule follows (C2HData only, with LAST_PDU).
  @inlinable
  public static var success: PDUFlags { PDUFlags(rawValue: 1 << 3) }
}
