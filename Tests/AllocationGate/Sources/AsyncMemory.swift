/// 4 KiB that a task may take along.
final class AsyncMemory: @unchecked Sendable {
  let buffer = UnsafeMutableRawBufferPointer.allocate(byteCount: 4096, alignment: 4096)
  deinit { buffer.deallocate() }
}
