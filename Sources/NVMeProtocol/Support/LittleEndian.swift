/// NVMe puts every integer on the wire little endian (NVMe Base 2.1, section 1.5) and promises no alignment to us.
extension UnsafeRawPointer {
  @inlinable
  @inline(__always)
  func loadLittleEndian<T: FixedWidthInteger & BitwiseCopyable>(_ offset: Int, as type: T.Type = T.self) -> T {
    T(littleEndian: loadUnaligned(fromByteOffset: offset, as: type))
  }
}

extension UnsafeMutableRawPointer {
  @inlinable
  @inline(__always)
  func storeLittleEndian<T: FixedWidthInteger & BitwiseCopyable>(_ value: T, _ offset: Int) {
    storeBytes(of: value.littleEndian, toByteOffset: offset, as: T.self)
  }
}
