import BlockDevice

/// The memory of a load's requests.
final class LoadMemory {
  let bytes: UnsafeMutableRawBufferPointer
  let vectors: UnsafeMutablePointer<IOVector>
  private let shape: LoadShape

  init(_ shape: LoadShape) {
    self.shape = shape
    bytes = .allocate(byteCount: shape.byteCount * LoadShape.depth, alignment: 4096)
    bytes.initializeMemory(as: UInt8.self, repeating: 0)
    vectors = .allocate(capacity: LoadShape.depth)
    for slot in 0..<LoadShape.depth {
      (vectors + slot).initialize(
        to: IOVector(base: bytes.baseAddress! + slot * shape.byteCount, count: shape.byteCount))
    }
  }

  deinit {
    bytes.deallocate()
    vectors.deallocate()
  }

  func verify() throws {
    guard shape.operation == .read else { return }
    guard bytes.allSatisfy({ $0 == LoadShape.fill }) else { throw GateError("a read has not brought its data") }
  }
}
