/// What is to be done with a command that has failed.
public enum RetryDisposition: String, Sendable, Hashable {
  /// Send it again on the same path, if the retry limit allows.
  case retryHere
  /// Send it again on another path; it does not count as a retry, because nothing is wrong with the command.
  case retryOnAnotherPath
  /// Report the failure.
  case fail
}
