/// The Error Information log, LID 01h: the newest entry first, 64 bytes each.
public struct ErrorInformationLog: WireStructure, Hashable {
  public static let structureName = "Error Information log"

  public var entries: [ErrorInformationEntry]

  public init(entries: [ErrorInformationEntry] = []) { self.entries = entries }

  /// Decodes as many whole entries as there are bytes for, empty ones included.
  /// - Throws: `DecodingError` if there is not even one.
  public init(decoding bytes: RawSpan) throws(DecodingError) {
    try bytes.require(ErrorInformationEntry.byteCount, of: Self.structureName)
    entries = []
    for index in 0..<bytes.byteCount / ErrorInformationEntry.byteCount {
      let start = index * ErrorInformationEntry.byteCount
      entries.append(
        try ErrorInformationEntry(decoding: bytes.extracting(start..<start + ErrorInformationEntry.byteCount)))
    }
  }

  public func encode() -> [UInt8] { entries.flatMap { $0.encode() } }
}
