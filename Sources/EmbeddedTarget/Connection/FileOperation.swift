internal import RingReactor

/// What a command of a file-backed namespace waits for on the ring.
struct FileOperation {
  /// Byte offset in the file.
  var offset: UInt64 = 0
  var byteCount = 0
  /// Bytes read or written so far: the kernel may do less than asked for.
  var doneByteCount = 0
  /// Ring entries still to complete.
  var remaining = 0
  /// The first failure, an `errno`; 0: none.
  var failure: Int32 = 0
  var isSynchronous = false
  /// Of Write Zeroes.
  var zeroing: FileZeroing?
}
