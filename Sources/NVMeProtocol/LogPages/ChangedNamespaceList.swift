/// The Changed Attached Namespace List log, LID 04h: up to 1,024 NSIDs, 4,096 bytes (NVMe Base 2.1, section
/// 5.1.12.1.5). Reading it with RAE clear empties it and arms the event again.
public struct ChangedNamespaceList: WireStructure, Hashable {
  public static let structureName = "Changed Attached Namespace List log"
  public static let byteCount = 4096
  public static let maximumCount = 1024

  /// More namespaces changed than the list holds: look at all of them.
  public var isOverflowed: Bool
  /// Empty if overflowed.
  public var identifiers: [UInt32]

  public init(identifiers: [UInt32] = [], isOverflowed: Bool = false) {
    self.identifiers = isOverflowed ? [] : identifiers
    self.isOverflowed = isOverflowed
  }

  /// Order is not asked for: nothing pages by this list. FFFFFFFFh anywhere counts as overflow.
  /// - Throws: `DecodingError` if there are fewer than 4,096 bytes.
  public init(decoding bytes: RawSpan) throws(DecodingError) {
    try bytes.require(Self.byteCount, of: Self.structureName)
    self.init()
    for index in 0..<Self.maximumCount {
      let identifier: UInt32 = bytes.loadInteger(index * 4)
      if identifier == 0 { break }
      if identifier == 0xFFFF_FFFF {
        self.init(isOverflowed: true)
        return
      }
      identifiers.append(identifier)
    }
  }

  public func encode() -> [UInt8] {
    var bytes: [UInt8] = []
    if isOverflowed || identifiers.count > Self.maximumCount {
      bytes.appendLittleEndian(UInt32.max)
    } else {
      for identifier in identifiers { bytes.appendLittleEndian(identifier) }
    }
    return bytes + [UInt8](repeating: 0, count: Self.byteCount - bytes.count)
  }
}
