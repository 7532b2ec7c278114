/// The data of a Connect command, 1,024 bytes (NVMe Base 2.1, section 6.3, figure 546).
public struct ConnectData: WireStructure, FixedLayout, Hashable {
  public static let structureName = "Connect data"
  public static let byteCount = 1024
  /// CNTLID by which a host asks for any controller (dynamic model) on the admin queue.
  public static let anyController: UInt16 = 0xFFFF

  public var hostIdentifier = Identifier128()
  public var controllerIdentifier: UInt16 = 0
  public var subsystemNQN = ""
  public var hostNQN = ""

  public init() {}

  public init(hostIdentifier: Identifier128, controllerIdentifier: UInt16, subsystemNQN: String, hostNQN: String) {
    self.hostIdentifier = hostIdentifier
    self.controllerIdentifier = controllerIdentifier
    self.subsystemNQN = subsystemNQN
    self.hostNQN = hostNQN
  }

  /// - Throws: `DecodingError` if there are fewer than 1,024 bytes, or an NQN is not UTF-8, has control characters or is not ended by a zero byte
  ///   within its 224 (at most 223 count) bytes.
  public init(decoding bytes: RawSpan) throws(DecodingError) {
    self = try Self.decodeFields(bytes)
    try Self.checkName(bytes, at: 256, field: "SUBNQN")
    try Self.checkName(bytes, at: 512, field: "HOSTNQN")
  }

  public func encode() -> [UInt8] { encodeFields() }

  mutating func visitFields<Visitor: FieldVisitor>(_ visitor: inout Visitor) {
    visitor.identifier(&hostIdentifier, at: 0)
    visitor.integer(&controllerIdentifier, at: 16)
    visitor.text(&subsystemNQN, at: 256, count: 256, padding: .zero)
    visitor.text(&hostNQN, at: 512, count: 256, padding: .zero)
  }

  private static func checkName(_ bytes: RawSpan, at offset: Int, field: String) throws(DecodingError) {
    let name = bytes.copyBytes(offset..<offset + 256)
    func fail(_ problem: String) -> DecodingError {
      DecodingError(structure: structureName, offset: offset, reason: .invalidText(field: field, problem: problem))
    }
    // NQNs have at most 223 bytes and a terminator (NVMe Base 2.1, section 4.7).
    guard let end = name.firstIndex(of: 0), end <= 223 else { throw fail("longer than 223 bytes or unterminated") }
    guard let text = String(validating: name[..<end], as: UTF8.self) else { throw fail("not UTF-8") }
    // They would be replaced by something longer, and the name be another one.
    guard !text.unicodeScalars.contains(where: WireText.isControl) else { throw fail("a text with control characters") }
  }
}
