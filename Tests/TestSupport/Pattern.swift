/// Bytes that differ at each place and for each seed.
public func pattern(_ count: Int, seed: UInt64 = 1) -> [UInt8] {
  var generator = SplitMix64(seed: seed)
  return [UInt8](unsafeUninitializedCapacity: count) { buffer, initialized in
    let bytes = UnsafeMutableRawBufferPointer(buffer)
    var position = 0
    while position < count {
      withUnsafeBytes(of: generator.next()) { word in
        let rest = UnsafeMutableRawBufferPointer(rebasing: bytes[position...])
        rest.copyMemory(from: UnsafeRawBufferPointer(rebasing: word.prefix(rest.count)))
      }
      position += 8
    }
    initialized = count
  }
}
