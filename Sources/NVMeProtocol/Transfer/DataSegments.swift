/// The memory of one command's data: a byte range of a list of I/O vectors.
///
/// It borrows: the vectors and the memory that they name belong to whoever submits the command, and must stay as they
/// are until its completion has been delivered.
@frozen public struct DataSegments: @unchecked Sendable {
  /// The first vector; nil when there is no data.
  public var vectors: UnsafePointer<IOVector>?
  public var vectorCount: Int32
  /// Where this command's data begins, in bytes from the start of the first vector.
  public var byteOffset: UInt32
  /// How much data this command has, in bytes.
  public var byteCount: UInt32

  @inlinable
  public init(vectors: UnsafePointer<IOVector>?, vectorCount: Int32, byteOffset: UInt32, byteCount: UInt32) {
    self.vectors = vectors
    self.vectorCount = vectorCount
    self.byteOffset = byteOffset
    self.byteCount = byteCount
  }

  /// No data.
  @inlinable public static var none: DataSegments {
    DataSegments(vectors: nil, vectorCount: 0, byteOffset: 0, byteCount: 0)
  }

  /// Calls `body` with each contiguous piece of `count` bytes from `offset` on, in order.
  @inlinable @inline(__always)
  public func forEachPiece(offset: Int, count: Int, _ body: (UnsafeMutableRawPointer, Int) -> Void) {
    guard var vector = vectors, count > 0 else { return }
    var skip = Int(byteOffset) + offset
    var left = count
    let end = vector + Int(vectorCount)
    while vector < end, skip >= vector.pointee.count {
      skip -= vector.pointee.count
      vector += 1
    }
    while vector < end, left > 0 {
      let piece = min(left, vector.pointee.count - skip)
      if piece > 0, let base = vector.pointee.base { body(base + skip, piece) }
      left -= piece
      skip = 0
      vector += 1
    }
  }
}
