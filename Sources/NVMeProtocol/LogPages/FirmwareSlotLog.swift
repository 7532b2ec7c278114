/// The Firmware Slot Information log, LID 03h, 512 bytes (NVMe Base 2.1, figure 208).
public struct FirmwareSlotLog: WireStructure, FixedLayout, Hashable {
  public static let structureName = "Firmware Slot Information log"
  public static let byteCount = 512

  /// AFI
  public var activeFirmwareInformation: UInt8 = 0
  /// FRS1 to FRS7; empty: no valid firmware in the slot
  public var revisions: [String] = Array(repeating: "", count: 7)

  public init() {}

  /// AFI bits 2:0: the slot of the running firmware, 1 to 7.
  public var activeSlot: Int { Int(activeFirmwareInformation & 0b111) }
  /// AFI bits 6:4: the slot that will run after the next reset; 0: not reported.
  public var nextSlot: Int { Int(activeFirmwareInformation >> 4 & 0b111) }

  public init(decoding bytes: RawSpan) throws(DecodingError) { self = try Self.decodeFields(bytes) }
  public func encode() -> [UInt8] { encodeFields() }

  mutating func visitFields<Visitor: FieldVisitor>(_ visitor: inout Visitor) {
    visitor.integer(&activeFirmwareInformation, at: 0)
    while revisions.count < 7 { revisions.append("") }
    for slot in 0..<7 {
      trim(slot)
      // An empty slot is all zero bytes, a used one is space filled.
      let padding: TextPadding = revisions[slot].isEmpty ? .zero : .space
      visitor.text(&revisions[slot], at: 8 + slot * 8, count: 8, padding: padding)
      trim(slot)
    }
  }

  /// What does not fit is cut, which may leave nothing but spaces: an empty slot.
  private mutating func trim(_ slot: Int) {
    while revisions[slot].utf8.count > 8 { revisions[slot].unicodeScalars.removeLast() }
    while revisions[slot].unicodeScalars.last == " " { revisions[slot].unicodeScalars.removeLast() }
  }
}
