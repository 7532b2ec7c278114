// All integers on the wire are in network byte order ("Conventions").
extension UnsafeRawPointer {
  @inline(__always) func bigEndian<Value: FixedWidthInteger>(_ offset: Int, as type: Value.Type) -> Value {
    Value(bigEndian: loadUnaligned(fromByteOffset: offset, as: type))
  }
}

extension UnsafeMutableRawPointer {
  @inline(__always) func store<Value: FixedWidthInteger>(bigEndian value: Value, at offset: Int) {
    storeBytes(of: value.bigEndian, toByteOffset: offset, as: Value.self)
  }
}

extension [UInt8] {
  mutating func append<Value: FixedWidthInteger>(bigEndian value: Value) {
    Swift.withUnsafeBytes(of: value.bigEndian) { append(contentsOf: $0) }
  }
}
