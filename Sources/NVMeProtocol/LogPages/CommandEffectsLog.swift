/// The Commands Supported and Effects log, LID 05h, 4,096 bytes (NVMe Base 2.1, figures 209 and 210).
public struct CommandEffectsLog: WireStructure, FixedLayout, Hashable {
  public static let structureName = "Commands Supported and Effects log"
  public static let byteCount = 4096

  /// One command's entry.
  public struct Effects: OptionSet, Hashable, Sendable {
    public var rawValue: UInt32
    public init(rawValue: UInt32) { self.rawValue = rawValue }
    /// CSUPP
    public static let supported = Effects(rawValue: 1 << 0)
    /// LBCC
    public static let logicalBlockContentChange = Effects(rawValue: 1 << 1)
    /// NCC
    public static let namespaceCapabilityChange = Effects(rawValue: 1 << 2)
    /// NIC
    public static let namespaceInventoryChange = Effects(rawValue: 1 << 3)
    /// CCC
    public static let controllerCapabilityChange = Effects(rawValue: 1 << 4)

    /// CSE, bits 18:16: 0 no restriction, 1 alone in its namespace, 2 alone.
    public var submissionAndExecution: UInt8 { UInt8(rawValue >> 16 & 0b111) }
    /// Bit 19: UUID selection is supported.
    public var supportsUUIDSelection: Bool { rawValue & 1 << 19 != 0 }
  }

  private var adminValues = [UInt32](repeating: 0, count: 256)
  private var ioValues = [UInt32](repeating: 0, count: 256)

  public init() {}

  /// Effects of the admin command with this opcode.
  public subscript(admin opcode: UInt8) -> Effects {
    get { Effects(rawValue: adminValues[Int(opcode)]) }
    set { adminValues[Int(opcode)] = newValue.rawValue }
  }

  /// Effects of the I/O command with this opcode.
  public subscript(io opcode: UInt8) -> Effects {
    get { Effects(rawValue: ioValues[Int(opcode)]) }
    set { ioValues[Int(opcode)] = newValue.rawValue }
  }

  public init(decoding bytes: RawSpan) throws(DecodingError) { self = try Self.decodeFields(bytes) }
  public func encode() -> [UInt8] { encodeFields() }

  mutating func visitFields<Visitor: FieldVisitor>(_ visitor: inout Visitor) {
    visitor.integers(&adminValues, at: 0, count: 256)
    visitor.integers(&ioValues, at: 1024, count: 256)
  }
}
