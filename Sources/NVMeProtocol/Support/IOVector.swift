/// One piece of a caller's memory: an address and a length in bytes.
///
/// Laid out as POSIX `struct iovec`, so that an array of these can be handed to the kernel as it is without this
/// target importing the C library. It does not own the memory; who does, and until when, is said by the function
/// that takes the vector.
@frozen
public struct IOVector: @unchecked Sendable {
  /// The first byte; nil only together with a count of 0.
  public var base: UnsafeMutableRawPointer?
  /// Bytes.
  public var count: Int

  @inlinable
  public init(base: UnsafeMutableRawPointer?, count: Int) {
    self.base = base
    self.count = count
  }

  @inlinable
  public init(_ buffer: UnsafeMutableRawBufferPointer) {
    self.init(base: buffer.baseAddress, count: buffer.count)
  }
}
