/// The data of feature 81h, Host Identifier: 16 bytes with EXHID set, which fabrics require, else 8
/// (NVMe Base 2.1, section 5.1.25.1.28).
public struct HostIdentifierFeature: WireStructure, Hashable {
  public static let structureName = "Host Identifier"
  /// EXHID, bit 0 of the feature's dword 11.
  public static let extended: UInt32 = 1

  public var identifier: Identifier128

  public init(_ identifier: Identifier128) { self.identifier = identifier }

  /// The 16-byte form.
  public init(decoding bytes: RawSpan) throws(DecodingError) {
    try bytes.require(16, of: Self.structureName)
    identifier = Identifier128(bytes: bytes.copyBytes(0..<16)) ?? Identifier128()
  }

  public func encode() -> [UInt8] { identifier.bytes }
}
