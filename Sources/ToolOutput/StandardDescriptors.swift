internal import Glibc

/// Descriptors 0, 1 and 2.
public enum StandardDescriptors {
  /// Takes the places of those that whoever started the process has closed. Else the first files that it opens would get
  /// them, a socket perhaps, and what is meant for standard output would be sent there. Writing to one fails as before.
  ///
  /// To be called before anything is opened.
  public static func occupy() {
    for descriptor in STDIN_FILENO...STDERR_FILENO where fcntl(descriptor, F_GETFD) < 0 {
      // The lowest that is free is given out: this one, as those below it are open.
      _ = open("/dev/null", O_RDONLY)
    }
  }
}
