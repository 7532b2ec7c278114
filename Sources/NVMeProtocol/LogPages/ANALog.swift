/// The Asymmetric Namespace Access log, LID 0Ch (NVMe Base 2.1, figures 223 and 224).
public struct ANALog: WireStructure, Hashable {
  public static let structureName = "Asymmetric Namespace Access log"
  static let headerBytes = 16
  static let descriptorBytes = 32

  /// An ANA group and the namespaces in it.
  public struct Group: Hashable, Sendable {
    /// AGID
    public var identifier: UInt32
    public var changeCount: UInt64
    public var state: ANAState
    /// Empty if only groups were asked for (RGO).
    public var namespaceIdentifiers: [UInt32]

    public init(
      identifier: UInt32, state: ANAState, changeCount: UInt64 = 0, namespaceIdentifiers: [UInt32] = []
    ) {
      self.identifier = identifier
      self.changeCount = changeCount
      self.state = state
      self.namespaceIdentifiers = namespaceIdentifiers
    }
  }

  public var changeCount: UInt64
  public var groups: [Group]

  public init(changeCount: UInt64 = 0, groups: [Group] = []) {
    self.changeCount = changeCount
    self.groups = groups
  }

  /// Bytes to ask for so that the whole log surely fits.
  /// - Parameters: `groupCount`: NANAGRPID. `namespaceCount`: of Identify Controller, MNAN if not 0, else NN.
  public static func byteCount(groupCount: Int, namespaceCount: Int) -> Int {
    headerBytes + max(groupCount, 0) * descriptorBytes + max(namespaceCount, 0) * 4
  }

  /// - Throws: `DecodingError` if the header, a descriptor or its NSIDs run past the end of the bytes.
  public init(decoding bytes: RawSpan) throws(DecodingError) {
    try bytes.require(Self.headerBytes, of: Self.structureName)
    changeCount = bytes.loadInteger(0)
    groups = []
    let count = Int(bytes.loadInteger(8, as: UInt16.self))
    var offset = Self.headerBytes
    for _ in 0..<count {
      guard bytes.byteCount - offset >= Self.descriptorBytes else {
        throw DecodingError(
          structure: Self.structureName, offset: offset,
          reason: .truncated(needed: Self.descriptorBytes, available: bytes.byteCount - offset))
      }
      let namespaceCount = Int(bytes.loadInteger(offset + 4, as: UInt32.self))
      let room = (bytes.byteCount - offset - Self.descriptorBytes) / 4
      guard namespaceCount <= room else {
        throw DecodingError(
          structure: Self.structureName, offset: offset + 4,
          reason: .countOutOfRange(count: UInt64(namespaceCount), limit: UInt64(room)))
      }
      var group = Group(
        identifier: bytes.loadInteger(offset), state: ANAState(rawValue: bytes.loadInteger(offset + 16)),
        changeCount: bytes.loadInteger(offset + 8))
      offset += Self.descriptorBytes
      group.namespaceIdentifiers.reserveCapacity(namespaceCount)
      for _ in 0..<namespaceCount {
        group.namespaceIdentifiers.append(bytes.loadInteger(offset))
        offset += 4
      }
      groups.append(group)
    }
  }

  public func encode() -> [UInt8] {
    var bytes: [UInt8] = []
    bytes.appendLittleEndian(changeCount)
    bytes.appendLittleEndian(UInt16(truncatingIfNeeded: groups.count))
    bytes += [UInt8](repeating: 0, count: 6)
    for group in groups.prefix(Int(UInt16.max)) {
      bytes.appendLittleEndian(group.identifier)
      bytes.appendLittleEndian(UInt32(truncatingIfNeeded: group.namespaceIdentifiers.count))
      bytes.appendLittleEndian(group.changeCount)
      bytes.append(group.state.rawValue)
      bytes += [UInt8](repeating: 0, count: 15)
      for identifier in group.namespaceIdentifiers { bytes.appendLittleEndian(identifier) }
    }
    return bytes
  }
}
