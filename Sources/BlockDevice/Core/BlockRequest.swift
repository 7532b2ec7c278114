public import NVMeProtocol

/// One request to a ``BlockChannel``.
///
/// It borrows its memory: buffer and vectors belong to the caller, and must stay valid and (for reads) untouched until
/// the request's completion has been polled.
@frozen public struct BlockRequest: @unchecked Sendable {
  public var operation: BlockOperation
  public var options: BlockOptions
  /// Length in logical blocks, from 1; ignored for flush.
  public var blockCount: UInt32
  /// First logical block; ignored for flush.
  public var logicalBlockAddress: UInt64
  /// The memory, when it is in one piece.
  public var buffer: IOVector
  /// The memory, when it is in several pieces; nil when it is in one. Together as long as the blocks; pieces may have
  /// any length and alignment.
  public var vectors: UnsafePointer<IOVector>?
  public var vectorCount: Int32
  /// The caller's; comes back with the completion.
  public var token: UInt64

  /// A request with its memory in one piece, or with none.
  @inlinable public init(
    _ operation: BlockOperation, logicalBlockAddress: UInt64 = 0, blockCount: UInt32 = 0,
    buffer: UnsafeMutableRawBufferPointer = UnsafeMutableRawBufferPointer(start: nil, count: 0),
    options: BlockOptions = [], token: UInt64 = 0
  ) {
    self.operation = operation
    self.options = options
    self.blockCount = blockCount
    self.logicalBlockAddress = logicalBlockAddress
    self.buffer = IOVector(base: buffer.baseAddress, count: buffer.count)
    self.vectors = nil
    self.vectorCount = 0
    self.token = token
  }

  /// A request with its memory in several pieces.
  @inlinable public init(
    _ operation: BlockOperation, logicalBlockAddress: UInt64, blockCount: UInt32,
    vectors: UnsafeBufferPointer<IOVector>, options: BlockOptions = [], token: UInt64 = 0
  ) {
    self.operation = operation
    self.options = options
    self.blockCount = blockCount
    self.logicalBlockAddress = logicalBlockAddress
    self.buffer = IOVector(base: nil, count: 0)
    self.vectors = vectors.baseAddress
    self.vectorCount = Int32(clamping: vectors.count)
    self.token = token
  }

  /// Bytes of memory that come with the request; nil when lengths overflow or are negative, or where there is a length and
  /// no address.
  @inlinable public var memoryByteCount: Int? {
    guard let vectors else { return buffer.base == nil && buffer.count != 0 ? nil : buffer.count }
    var total = 0
    for index in 0..<Int(vectorCount) {
      let vector = vectors[index]
      let (sum, overflow) = total.addingReportingOverflow(vector.count)
      if overflow || vector.count < 0 || vector.base == nil && vector.count != 0 { return nil }
      total = sum
    }
    return total
  }

  /// Calls `body` with each piece of the request's memory, in order.
  @inlinable @inline(__always)
  public func forEachPiece(_ body: (UnsafeMutableRawPointer, Int) -> Void) {
    guard let vectors else {
      if let base = buffer.base { body(base, buffer.count) }
      return
    }
    for index in 0..<Int(vectorCount) {
      if let base = vectors[index].base { body(base, vectors[index].count) }
    }
  }
}
