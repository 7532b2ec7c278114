internal import Glibc

/// How many files and sockets a process may have open (RLIMIT_NOFILE).
public enum DescriptorLimit {
  /// Raises it to what the process may have: shells and service managers start programs with 1024 for the sake of select(2),
  /// which nothing here uses. What clients can take of it must not be missing when a controller is connected again.
  public static func raise() {
    var limit = rlimit()
    let resource = __rlimit_resource_t(RLIMIT_NOFILE.rawValue)
    guard getrlimit(resource, &limit) == 0, limit.rlim_cur < limit.rlim_max else { return }
    limit.rlim_cur = limit.rlim_max
    // Nothing is lost where it is refused.
    _ = setrlimit(resource, &limit)
  }
}
