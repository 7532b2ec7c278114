internal import CLiburing
import Glibc

/// A file or block special file used through the ring. Many operations may be in flight; the owner tells them apart by
/// their tags, and gets their results in ``ReactorSource/completed(_:)``.
///
/// The descriptor is closed with the last reference: keep one while operations are in flight.
public final class RingFile: Sendable {
  public let path: String
  public let fileDescriptor: Int32
  public let isWritable: Bool
  /// Bytes, at the time of opening.
  public let byteCount: UInt64

  /// Opens an existing file, or makes one of `creatingByteCount` bytes (sparse). May block: do not call it on a
  /// reactor with other work.
  ///
  /// - Throws: ``RingError/systemCall(name:errno:)``.
  public init(path: String, writable: Bool, creatingByteCount: UInt64? = nil) throws(RingError) {
    var flags = (writable ? O_RDWR : O_RDONLY) | O_CLOEXEC
    if creatingByteCount != nil { flags |= O_CREAT }
    let descriptor = open(path, flags, 0o600)
    guard descriptor >= 0 else { throw .systemCall(name: "open \(path)", errno: errno) }
    if let creatingByteCount, ftruncate(descriptor, off_t(clamping: creatingByteCount)) != 0 {
      let code = errno
      Glibc.close(descriptor)
      throw .systemCall(name: "ftruncate \(path)", errno: code)
    }
    // lseek, because fstat gives a block special file no size.
    let end = lseek(descriptor, 0, SEEK_END)
    guard end >= 0 else {
      let code = errno
      Glibc.close(descriptor)
      throw .systemCall(name: "lseek \(path)", errno: code)
    }
    self.path = path
    fileDescriptor = descriptor
    isWritable = writable
    byteCount = UInt64(end)
  }

  deinit { Glibc.close(fileDescriptor) }

  /// Starts a read into `count` I/O vectors, which must stay until the completion. The result is a byte count.
  public func read(
    vectors: UnsafeRawPointer, count: Int, offset: UInt64, source: ReactorSource, operation: UInt8, tag: UInt16
  ) {
    let entry = source.reactor.entry(for: source, operation: operation, tag: tag)
    io_uring_prep_readv(entry, fileDescriptor, vectors.assumingMemoryBound(to: iovec.self), UInt32(count), offset)
  }

  /// Starts a write from `count` I/O vectors, which must stay until the completion. The result is a byte count.
  ///
  /// - Parameter isSynchronous: complete only when the data is on stable media (RWF_DSYNC).
  public func write(
    vectors: UnsafeRawPointer, count: Int, offset: UInt64, isSynchronous: Bool = false, source: ReactorSource,
    operation: UInt8, tag: UInt16
  ) {
    let entry = source.reactor.entry(for: source, operation: operation, tag: tag)
    io_uring_prep_writev2(
      entry, fileDescriptor, vectors.assumingMemoryBound(to: iovec.self), UInt32(count), offset,
      isSynchronous ? nvmeof_write_synchronously : 0)
  }

  /// Starts putting what has been written on stable media.
  public func synchronize(source: ReactorSource, operation: UInt8, tag: UInt16) {
    let entry = source.reactor.entry(for: source, operation: operation, tag: tag)
    io_uring_prep_fsync(entry, fileDescriptor, nvmeof_fsync_data_only)
  }

  /// Starts giving a range back to the file system, or zeroing it; both read as zeroes afterwards.
  public func zero(
    offset: UInt64, byteCount: UInt64, deallocate: Bool, source: ReactorSource, operation: UInt8, tag: UInt16
  ) {
    let entry = source.reactor.entry(for: source, operation: operation, tag: tag)
    let mode = (deallocate ? FALLOC_FL_PUNCH_HOLE : FALLOC_FL_ZERO_RANGE) | FALLOC_FL_KEEP_SIZE
    io_uring_prep_fallocate(entry, fileDescriptor, mode, off_t(clamping: offset), off_t(clamping: byteCount))
  }
}
