/// Active Namespace ID list, CNS 02h: up to 1,024 NSIDs in ascending order, ended by 0 (NVMe Base 2.1, section
/// 5.1.13.2.2). A full list means there may be more: ask again from the last NSID.
public struct NamespaceIdentifierList: WireStructure, Hashable {
  public static let structureName = "Active Namespace ID list"
  public static let byteCount = 4096
  public static let maximumCount = 1024

  public var identifiers: [UInt32]

  /// - Parameter identifiers: at most 1,024 are encoded.
  public init(_ identifiers: [UInt32] = []) { self.identifiers = identifiers }

  /// Whether the list has no room for more, so that a following one has to be asked for.
  public var isFull: Bool { identifiers.count >= Self.maximumCount }

  /// - Throws: `DecodingError` if there are fewer than 4,096 bytes, or the NSIDs do not ascend: paging through such
  ///   lists might never end.
  public init(decoding bytes: RawSpan) throws(DecodingError) {
    try bytes.require(Self.byteCount, of: Self.structureName)
    identifiers = []
    var previous: UInt32 = 0
    for index in 0..<Self.maximumCount {
      let identifier: UInt32 = bytes.loadInteger(index * 4)
      if identifier == 0 { break }
      guard identifier > previous, identifier < 0xFFFF_FFFF else {
        throw DecodingError(
          structure: Self.structureName, offset: index * 4,
          reason: .invalidValue(field: "NSID", value: UInt64(identifier)))
      }
      identifiers.append(identifier)
      previous = identifier
    }
  }

  public func encode() -> [UInt8] {
    var bytes: [UInt8] = []
    for identifier in identifiers.prefix(Self.maximumCount) { bytes.appendLittleEndian(identifier) }
    return bytes + [UInt8](repeating: 0, count: Self.byteCount - bytes.count)
  }
}
