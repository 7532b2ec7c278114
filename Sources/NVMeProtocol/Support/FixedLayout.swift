/// A structure whose fields sit at fixed offsets: one description serves both directions, so that the decoder and the
/// encoder cannot disagree. (The golden vectors guard against both being wrong.)
protocol FixedLayout: WireStructure {
  static var byteCount: Int { get }
  init()
  mutating func visitFields<Visitor: FieldVisitor>(_ visitor: inout Visitor)
}

extension FixedLayout {
  static func decodeFields(_ bytes: RawSpan) throws(DecodingError) -> Self {
    try bytes.require(byteCount, of: structureName)
    var reader = FieldReader(bytes, count: byteCount)
    var result = Self()
    result.visitFields(&reader)
    return result
  }

  func encodeFields() -> [UInt8] {
    var writer = FieldWriter(count: Self.byteCount)
    var copy = self
    copy.visitFields(&writer)
    return writer.bytes
  }
}

/// How a text field is filled up.
enum TextPadding: UInt8 {
  /// ASCII, space filled (NVMe Base 2.1, section 1.4.2). Zero bytes are tolerated.
  case space = 0x20
  /// UTF-8, ended by a zero byte.
  case zero = 0x00
}

/// One direction of a field description.
protocol FieldVisitor {
  mutating func integer<T: FixedWidthInteger & UnsignedInteger>(_ value: inout T, at offset: Int)
  /// An integer of `count` bytes, fewer than its type has.
  mutating func integer(_ value: inout UInt32, at offset: Int, count: Int)
  mutating func bytes(_ value: inout [UInt8], at offset: Int, count: Int)
  mutating func text(_ value: inout String, at offset: Int, count: Int, padding: TextPadding)
}

extension FieldVisitor {
  mutating func integers<T: FixedWidthInteger & UnsignedInteger>(_ values: inout [T], at offset: Int, count: Int) {
    let stride = T.bitWidth / 8
    for index in 0..<count {
      if values.count <= index { values.append(0) }
      integer(&values[index], at: offset + index * stride)
    }
  }

  mutating func identifier(_ value: inout Identifier128, at offset: Int) {
    var high = value.high.byteSwapped
    var low = value.low.byteSwapped
    integer(&high, at: offset)
    integer(&low, at: offset + 8)
    value = Identifier128(high: high.byteSwapped, low: low.byteSwapped)
  }
}

struct FieldReader: FieldVisitor {
  private let content: [UInt8]

  init(_ span: RawSpan, count: Int) {
    content = span.copyBytes(0..<count)
  }

  mutating func integer<T: FixedWidthInteger & UnsignedInteger>(_ value: inout T, at offset: Int) {
    var result: T = 0
    for index in (0..<T.bitWidth / 8).reversed() {
      result = result << 8 | T(truncatingIfNeeded: content[offset + index])
    }
    value = result
  }

  mutating func integer(_ value: inout UInt32, at offset: Int, count: Int) {
    value = 0
    for index in (0..<count).reversed() { value = value << 8 | UInt32(content[offset + index]) }
  }

  mutating func bytes(_ value: inout [UInt8], at offset: Int, count: Int) {
    value = Array(content[offset..<offset + count])
  }

  mutating func text(_ value: inout String, at offset: Int, count: Int, padding: TextPadding) {
    value = WireText.decode(content[offset..<offset + count], padding: padding)
  }
}

struct FieldWriter: FieldVisitor {
  private(set) var bytes: [UInt8]

  init(count: Int) { bytes = [UInt8](repeating: 0, count: count) }

  mutating func integer<T: FixedWidthInteger & UnsignedInteger>(_ value: inout T, at offset: Int) {
    for index in 0..<T.bitWidth / 8 { bytes[offset + index] = UInt8(truncatingIfNeeded: value >> T(index * 8)) }
  }

  mutating func integer(_ value: inout UInt32, at offset: Int, count: Int) {
    for index in 0..<count { bytes[offset + index] = UInt8(truncatingIfNeeded: value >> UInt32(index * 8)) }
  }

  mutating func bytes(_ value: inout [UInt8], at offset: Int, count: Int) {
    for (index, byte) in value.prefix(count).enumerated() { bytes[offset + index] = byte }
  }

  mutating func text(_ value: inout String, at offset: Int, count: Int, padding: TextPadding) {
    let encoded = WireText.encode(value, count: count, padding: padding)
    bytes.replaceSubrange(offset..<offset + count, with: encoded)
  }
}
