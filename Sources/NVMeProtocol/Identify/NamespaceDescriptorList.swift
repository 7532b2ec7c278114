/// Namespace Identification Descriptor list, CNS 03h, 4,096 bytes (NVMe Base 2.1, section 5.1.13.2.3, figure 315).
public struct NamespaceDescriptorList: WireStructure, Hashable {
  public static let structureName = "Namespace Identification Descriptor list"
  public static let byteCount = 4096

  /// NIDT 1h
  public var eui64: UInt64?
  /// NIDT 2h
  public var nguid: Identifier128?
  /// NIDT 3h
  public var uuid: Identifier128?
  /// NIDT 4h
  public var commandSet: CommandSetIdentifier?

  public init(
    eui64: UInt64? = nil, nguid: Identifier128? = nil, uuid: Identifier128? = nil,
    commandSet: CommandSetIdentifier? = nil
  ) {
    self.eui64 = eui64
    self.nguid = nguid
    self.uuid = uuid
    self.commandSet = commandSet
  }

  /// Descriptors of unknown types are skipped; of a type that comes twice the first counts.
  /// - Throws: `DecodingError` if there are fewer than 4,096 bytes, a descriptor runs past the end, or its length does
  ///   not fit its type.
  public init(decoding bytes: RawSpan) throws(DecodingError) {
    try bytes.require(Self.byteCount, of: Self.structureName)
    self.init()
    var offset = 0
    while offset + 4 <= Self.byteCount {
      let type: UInt8 = bytes.loadInteger(offset)
      let length = Int(bytes.loadInteger(offset + 1, as: UInt8.self))
      if length == 0 { break }
      let start = offset + 4
      guard start + length <= Self.byteCount else {
        throw DecodingError(
          structure: Self.structureName, offset: offset + 1,
          reason: .countOutOfRange(count: UInt64(length), limit: UInt64(Self.byteCount - start)))
      }
      let expected = [1: 8, 2: 16, 3: 16, 4: 1][Int(type)]
      guard expected == nil || expected == length else {
        throw DecodingError(
          structure: Self.structureName, offset: offset + 1,
          reason: .invalidValue(field: "NIDL", value: UInt64(length)))
      }
      let content = bytes.copyBytes(start..<start + length)
      switch type {
      case 1: eui64 = eui64 ?? content.reduce(0) { $0 << 8 | UInt64($1) }
      case 2: nguid = nguid ?? Identifier128(bytes: content)
      case 3: uuid = uuid ?? Identifier128(bytes: content)
      case 4: commandSet = commandSet ?? CommandSetIdentifier(rawValue: content[0])
      default: break
      }
      offset = start + length
    }
  }

  public func encode() -> [UInt8] {
    var bytes: [UInt8] = []
    if let eui64 { bytes += [1, 8, 0, 0] + Identifier128(low: eui64).bytes[8...] }
    if let nguid { bytes += [2, 16, 0, 0] + nguid.bytes }
    if let uuid { bytes += [3, 16, 0, 0] + uuid.bytes }
    if let commandSet { bytes += [4, 1, 0, 0, commandSet.rawValue] }
    return bytes + [UInt8](repeating: 0, count: Self.byteCount - bytes.count)
  }
}
