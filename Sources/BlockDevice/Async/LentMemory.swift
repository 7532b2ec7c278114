/// Memory at a stable address for the time of one request.
final class LentMemory: @unchecked Sendable {
  let buffer: UnsafeMutableRawBufferPointer

  init(byteCount: Int) {
    buffer = .allocate(byteCount: byteCount, alignment: 4096)
    buffer.initializeMemory(as: UInt8.self, repeating: 0)
  }

  init(_ bytes: [UInt8]) {
    buffer = .allocate(byteCount: bytes.count, alignment: 4096)
    buffer.copyBytes(from: bytes)
  }

  deinit { buffer.deallocate() }

  var bytes: [UInt8] { [UInt8](buffer) }
}
