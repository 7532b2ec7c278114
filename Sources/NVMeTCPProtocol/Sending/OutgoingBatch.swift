public import NVMeProtocol

/// What is to be sent next on a connection: vectors of the memory it is in, and staging for what has no memory of its own
/// (headers, digests, padding).
///
/// A batch is gathered, sent in as many pieces as the socket takes it in, and only then begun anew: what it points to
/// must stay until then. Whoever appends asks for room first. Once made, it allocates nothing.
///
/// Inlinable, because both sides of a queue pair, in modules of their own, gather with it for every I/O. Public and not
/// `package`, because the compiler inlines nothing of a type with a `package` member into other modules.
@frozen public struct OutgoingBatch: ~Copyable {
  @usableFromInline let vectors: UnsafeMutablePointer<IOVector>
  @usableFromInline let vectorCapacity: Int
  /// The first vector that has not been sent.
  @usableFromInline var vectorHead = 0
  @usableFromInline var vectorCount = 0
  @usableFromInline let staging: UnsafeMutableRawPointer
  @usableFromInline let stagingCapacity: Int
  @usableFromInline var stagingCount = 0
  @usableFromInline var remainingByteCount = 0

  public init(vectorCapacity: Int, stagingCapacity: Int) {
    self.vectorCapacity = vectorCapacity
    self.stagingCapacity = stagingCapacity
    vectors = .allocate(capacity: vectorCapacity)
    vectors.initialize(repeating: IOVector(base: nil, count: 0), count: vectorCapacity)
    staging = .allocate(byteCount: stagingCapacity, alignment: 64)
  }

  deinit {
    vectors.deallocate()
    staging.deallocate()
  }

  /// Bytes that the socket has not taken yet.
  @inlinable @inline(__always) public var unsentByteCount: Int { remainingByteCount }

  /// The vectors that have not been sent; valid until ``didSend(byteCount:)``.
  @inlinable @inline(__always) public var unsentVectors: UnsafeMutableBufferPointer<IOVector> {
    UnsafeMutableBufferPointer(start: vectors + vectorHead, count: vectorCount - vectorHead)
  }

  /// Empties it. What was in it is not sent.
  @inlinable @inline(__always) public mutating func removeAll() {
    vectorHead = 0
    vectorCount = 0
    stagingCount = 0
    remainingByteCount = 0
  }

  /// Whether so much more fits.
  @inlinable @inline(__always) public func hasRoom(vectors count: Int, stagingByteCount: Int) -> Bool {
    vectorCount + count <= vectorCapacity && stagingCount + stagingByteCount <= stagingCapacity
  }

  /// Appends so many bytes of staging.
  ///
  /// - Returns: where they are to be written.
  @inlinable @inline(__always) public mutating func stage(_ byteCount: Int) -> UnsafeMutableRawPointer {
    let start = staging + stagingCount
    stagingCount += byteCount
    append(start, byteCount)
    return start
  }

  /// Appends memory that stays until the batch has been sent.
  @inlinable @inline(__always) public mutating func append(_ base: UnsafeMutableRawPointer, _ byteCount: Int) {
    remainingByteCount += byteCount
    if vectorCount > 0, let last = vectors[vectorCount - 1].base, last + vectors[vectorCount - 1].count == base {
      // Headers one after the other in staging, or neighbouring memory of the caller's: one vector.
      vectors[vectorCount - 1] = IOVector(base: last, count: vectors[vectorCount - 1].count + byteCount)
      return
    }
    vectors[vectorCount] = IOVector(base: base, count: byteCount)
    vectorCount += 1
  }

  /// Reports that the socket has taken so many bytes.
  ///
  /// - Returns: whether that was all, so that nothing reads the memory of the batch any more.
  @inlinable @inline(__always) public mutating func didSend(byteCount: Int) -> Bool {
    precondition(byteCount <= remainingByteCount)
    remainingByteCount -= byteCount
    if remainingByteCount == 0 {
      vectorHead = vectorCount
      return true
    }
    var left = byteCount
    while left > 0 {
      let count = vectors[vectorHead].count
      if left < count {
        vectors[vectorHead] = IOVector(base: vectors[vectorHead].base! + left, count: count - left)
        return false
      }
      left -= count
      vectorHead += 1
    }
    return false
  }
}
