import CLiburing
import Glibc
import Synchronization

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
  let isBlockSpecial: Bool
  /// Bits of ``FileAllocation``.
  private let missingAllocations = Atomic<UInt8>(0)
  /// Why writes that had been done have been lost; 0 while none have.
  private let lossCode = Atomic<Int32>(0)

  /// Opens a file, or makes one. May block: do not call it on a reactor with other work.
  ///
  /// - Parameter creatingByteCount: the file's size. One that is not there is made, sparse, if it is to be written; an
  ///   empty one is given the size. One of another size is left alone.
  /// - Throws: ``RingError/systemCall(name:errno:)`` or ``RingError/unusableFile(path:problem:)``.
  public init(path: String, writable: Bool, creatingByteCount: UInt64? = nil) throws(RingError) {
    let creates = writable && creatingByteCount != nil
    let descriptor = open(path, (writable ? O_RDWR : O_RDONLY) | (creates ? O_CREAT : 0) | O_CLOEXEC, 0o600)
    guard descriptor >= 0 else { throw .systemCall(name: "open \(path)", errno: errno) }
    do throws(RingError) {
      var information = stat()
      guard fstat(descriptor, &information) == 0 else { throw .systemCall(name: "fstat \(path)", errno: errno) }
      let kind = information.st_mode & S_IFMT
      guard kind == S_IFREG || kind == S_IFBLK else {
        throw .unusableFile(path: path, problem: "is neither a regular file nor a block device")
      }
      isBlockSpecial = kind == S_IFBLK
      var byteCount = try Self.byteCount(of: descriptor, path)
      if let creatingByteCount, byteCount != creatingByteCount {
        guard creates, byteCount == 0, kind == S_IFREG else {
          throw .unusableFile(
            path: path,
            problem: "is there already, and has \(byteCount) bytes, not \(creatingByteCount): "
              + "give its own size, or none, to use it as it is")
        }
        try Self.setByteCount(of: descriptor, to: creatingByteCount, path)
        byteCount = creatingByteCount
      }
      self.byteCount = byteCount
    } catch {
      Glibc.close(descriptor)
      throw error
    }
    self.path = path
    fileDescriptor = descriptor
    isWritable = writable
  }

  deinit { Glibc.close(fileDescriptor) }

  /// Makes the file so long, if it is shorter. May block.
  ///
  /// - Throws: ``RingError/systemCall(name:errno:)``.
  public func grow(to byteCount: UInt64) throws(RingError) {
    guard try Self.byteCount(of: fileDescriptor, path) < byteCount else { return }
    try Self.setByteCount(of: fileDescriptor, to: byteCount, path)
  }

  private static func byteCount(of descriptor: Int32, _ path: String) throws(RingError) -> UInt64 {
    // lseek, because fstat gives a block special file no size.
    let end = lseek(descriptor, 0, SEEK_END)
    guard end >= 0 else { throw .systemCall(name: "lseek \(path)", errno: errno) }
    return UInt64(end)
  }

  private static func setByteCount(
    of descriptor: Int32, to byteCount: UInt64, _ path: String
  ) throws(RingError) {
    guard ftruncate(descriptor, off_t(clamping: byteCount)) == 0 else {
      throw .systemCall(name: "ftruncate \(path)", errno: errno)
    }
  }

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

  /// Starts a write from memory in one piece, which must stay until the completion. The result is a byte count.
  func write(
    _ memory: UnsafeRawPointer, byteCount: UInt32, offset: UInt64, source: ReactorSource, operation: UInt8, tag: UInt16
  ) {
    let entry = source.reactor.entry(for: source, operation: operation, tag: tag)
    io_uring_prep_write(entry, fileDescriptor, memory, byteCount, offset)
  }

  /// Starts putting what has been written on stable media.
  public func synchronize(source: ReactorSource, operation: UInt8, tag: UInt16) {
    let entry = source.reactor.entry(for: source, operation: operation, tag: tag)
    io_uring_prep_fsync(entry, fileDescriptor, nvmeof_fsync_data_only)
  }

  /// What a synchronization's result says for whoever asked for it. The kernel tells of writes that it could not put on stable
  /// media once, to whoever asks first, and forgets them: here everybody who asks later is told as well, as long as the file
  /// is open, because nothing says any more what is there of what was written before.
  public func synchronized(_ result: Int32) -> Int32 {
    if [EIO, ENOSPC, EDQUOT].contains(-result) { noteLoss(-result) }
    let code = lossCode.load(ordering: .acquiring)
    return code == 0 ? result : -code
  }

  /// Notes that writes may have been lost whose writers have been told that they are done.
  public func noteLoss(_ code: Int32) {
    _ = lossCode.compareExchange(expected: 0, desired: code, ordering: .acquiringAndReleasing)
  }

  /// Starts changing a range's allocation; it reads as zeroes afterwards. Not every file system can.
  public func allocate(
    _ allocation: FileAllocation, offset: UInt64, byteCount: UInt64, source: ReactorSource, operation: UInt8,
    tag: UInt16
  ) {
    let entry = source.reactor.entry(for: source, operation: operation, tag: tag)
    io_uring_prep_fallocate(
      entry, fileDescriptor, allocation.mode, off_t(clamping: offset), off_t(clamping: byteCount))
  }

  /// False once the file system has said that it cannot.
  func has(_ allocation: FileAllocation) -> Bool {
    missingAllocations.load(ordering: .relaxed) & allocation.rawValue == 0
  }

  /// Notes that the file system cannot do something: it is not tried again.
  package func ruleOut(_ allocation: FileAllocation) {
    missingAllocations.bitwiseOr(allocation.rawValue, ordering: .relaxed)
  }
}
