import Glibc

/// Why a ring or something on it could not be made.
public enum RingError: Error, Equatable, CustomStringConvertible {
  /// The kernel refuses io_uring as such; `errno` says how.
  case unavailable(errno: Int32)
  /// The kernel has io_uring, but lacks a feature this project cannot do without.
  case missingFeature(name: String, sinceKernel: String)
  /// A system call around the ring failed.
  case systemCall(name: String, errno: Int32)
  /// A file cannot be used as asked for; the problem reads on after its path.
  case unusableFile(path: String, problem: String)

  public var description: String {
    switch self {
    case .unavailable(let code) where code == ENOSYS:
      "io_uring is not in this kernel (ENOSYS): Linux 6.1 or newer is needed"
    case .unavailable(let code) where code == EPERM || code == EACCES:
      "io_uring is switched off for this process (\(errorText(code))): look at sysctl kernel.io_uring_disabled and at the "
        + "container's seccomp profile"
    case .unavailable(let code) where code == ENOMEM:
      "io_uring could not lock its memory (ENOMEM): raise RLIMIT_MEMLOCK (ulimit -l)"
    case .unavailable(let code):
      "io_uring could not be set up: \(errorText(code))"
    case .missingFeature(let name, let sinceKernel):
      "this kernel's io_uring lacks \(name), which came with Linux \(sinceKernel)"
    case .systemCall(let name, let code):
      "\(name) failed: \(errorText(code))"
    case .unusableFile(let path, let problem):
      "\(path) \(problem)"
    }
  }
}

/// The C library's text for an `errno` value.
public func errorText(_ code: Int32) -> String {
  String(cString: strerror(code))
}
