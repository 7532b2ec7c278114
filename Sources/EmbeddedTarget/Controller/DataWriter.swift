/// Fills in the structures that admin commands return: fields by byte offset, as the specification's figures list them.
///
/// Written against the figures, on purpose without the decoders that hosts use: a mistake in one shows against the
/// other.
struct DataWriter {
  let base: UnsafeMutableRawPointer
  let byteCount: Int

  /// `byteCount` zeroes at `base`.
  init(_ base: UnsafeMutableRawPointer, byteCount: Int) {
    self.base = base
    self.byteCount = byteCount
    base.initializeMemory(as: UInt8.self, repeating: 0, count: byteCount)
  }

  func put<Value: FixedWidthInteger & BitwiseCopyable>(_ value: Value, at offset: Int) {
    precondition(offset + MemoryLayout<Value>.size <= byteCount)
    base.storeBytes(of: value.littleEndian, toByteOffset: offset, as: Value.self)
  }

  func put(_ bytes: some Sequence<UInt8>, at offset: Int) {
    var offset = offset
    for byte in bytes {
      precondition(offset < byteCount)
      base.storeBytes(of: byte, toByteOffset: offset, as: UInt8.self)
      offset += 1
    }
  }

  /// ASCII, cut at `count` bytes, filled up with spaces (serial number and the like) or zeroes (NQNs).
  func put(text: String, at offset: Int, count: Int, filler: UInt8) {
    let bytes = Array(text.utf8.prefix(count))
    put(bytes + Array(repeating: filler, count: count - bytes.count), at: offset)
  }
}
