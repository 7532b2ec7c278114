/// Memory between guard bytes that nobody may touch.
final class GuardedBuffer: @unchecked Sendable {
  private let memory: UnsafeMutableRawBufferPointer
  private static let guardByteCount = 4096
  private static let guardByte: UInt8 = 0xA5

  init(byteCount: Int) {
    memory = .allocate(byteCount: byteCount + 2 * Self.guardByteCount, alignment: 8)
    memory.initializeMemory(as: UInt8.self, repeating: Self.guardByte)
  }

  deinit { memory.deallocate() }

  var buffer: UnsafeMutableRawBufferPointer {
    UnsafeMutableRawBufferPointer(rebasing: memory[Self.guardByteCount..<memory.count - Self.guardByteCount])
  }

  var isIntact: Bool {
    memory.prefix(Self.guardByteCount).allSatisfy { $0 == Self.guardByte }
      && memory.suffix(Self.guardByteCount).allSatisfy { $0 == Self.guardByte }
  }
}
