/// Reads the data of an option from its front; what does not fit is nil.
struct NBDOptionReader {
  private var bytes: ArraySlice<UInt8>

  init(_ bytes: [UInt8]) { self.bytes = bytes[...] }

  /// Bytes not read yet.
  var left: Int { bytes.count }

  mutating func integer<Value: FixedWidthInteger & UnsignedInteger>(_ type: Value.Type) -> Value? {
    let size = MemoryLayout<Value>.size
    guard bytes.count >= size else { return nil }
    defer { bytes = bytes.dropFirst(size) }
    return bytes.prefix(size).reduce(0) { $0 << 8 | Value($1) }
  }

  /// A string behind its length in 32 bits.
  mutating func string() -> String? {
    guard let count = integer(UInt32.self), count <= bytes.count else { return nil }
    defer { bytes = bytes.dropFirst(Int(count)) }
    return NBDNegotiation.string(bytes.prefix(Int(count)))
  }
}
