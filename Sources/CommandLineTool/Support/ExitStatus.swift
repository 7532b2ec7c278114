/// What the process's exit status means; documented in `--help`.
enum ExitStatus: Int32, Sendable {
  case success = 0
  /// The device or controller reported an error.
  case deviceError = 1
  /// The command line is wrong.
  case usage = 2
  /// The connection could not be made, was refused, or was lost.
  case connectionFailed = 3
  /// A local file, stream or system call failed.
  case localError = 4
  /// A verification found differences.
  case mismatch = 5
  /// A copy went to its end, but some ranges could not be copied.
  case incomplete = 6
  /// Ended by SIGINT.
  case interrupted = 130

  /// For the end of `--help`.
  static let help = """

    EXIT STATUS
      0    success
      1    the device or controller reported an error
      2    the command line is wrong
      3    the connection could not be made, was refused, or was lost
      4    a local file, stream or system call failed
      5    a verification found differences
      6    a copy with --continue-on-error left bad ranges out
      130  interrupted (Ctrl-C)
    """
}
