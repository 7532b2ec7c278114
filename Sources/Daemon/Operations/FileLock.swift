internal import Glibc

/// Says that a socket or a file is one process's: an flock'd file beside it, which goes with the process, however that ends.
final class FileLock: Sendable {
  enum Failure: Error {
    /// Another process has it.
    case isHeld
    case system(path: String, errno: Int32)
  }

  private let path: String
  private let fileDescriptor: Int32

  /// - Parameter guardedPath: the lock is the file of that name with `.lock` behind it.
  init(besides guardedPath: String) throws(Failure) {
    path = guardedPath + ".lock"
    while true {
      let descriptor = open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0o600)
      guard descriptor >= 0 else { throw .system(path: path, errno: errno) }
      guard flock(descriptor, LOCK_EX | LOCK_NB) == 0 else {
        let code = errno
        close(descriptor)
        throw code == EWOULDBLOCK ? .isHeld : .system(path: path, errno: code)
      }
      // The one before us may have removed the file between our opening and our locking it: then it locks nobody out.
      var ours = stat()
      var named = stat()
      if fstat(descriptor, &ours) == 0, stat(path, &named) == 0, ours.st_ino == named.st_ino,
        ours.st_dev == named.st_dev
      {
        fileDescriptor = descriptor
        return
      }
      close(descriptor)
    }
  }

  deinit {
    // In this order: whoever opens the file in between finds out that it is no longer the one of that name.
    unlink(path)
    close(fileDescriptor)
  }
}
