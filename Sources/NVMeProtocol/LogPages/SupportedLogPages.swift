/// The Supported Log Pages log, LID 00h, 1,024 bytes (NVMe Base 2.1, figures 203 and 204).
public struct SupportedLogPages: WireStructure, FixedLayout, Hashable {
  public static let structureName = "Supported Log Pages log"
  public static let byteCount = 1024

  /// Per LID: bit 0 supported, bit 1 index offset supported, bits 31:16 page-specific.
  private var values = [UInt32](repeating: 0, count: 256)

  public init() {}

  public init(_ pages: [LogPageIdentifier]) {
    for page in pages { self[page] = 1 }
  }

  /// The raw entry of a page.
  public subscript(page: LogPageIdentifier) -> UInt32 {
    get { values[Int(page.rawValue)] }
    set { values[Int(page.rawValue)] = newValue }
  }

  /// LSUPP set, ascending.
  public var supported: [LogPageIdentifier] {
    (0..<256).filter { values[$0] & 1 != 0 }.map { LogPageIdentifier(rawValue: UInt8($0)) }
  }

  public init(decoding bytes: RawSpan) throws(DecodingError) { self = try Self.decodeFields(bytes) }
  public func encode() -> [UInt8] { encodeFields() }

  mutating func visitFields<Visitor: FieldVisitor>(_ visitor: inout Visitor) {
    visitor.integers(&values, at: 0, count: 256)
  }
}
