/// Which face of the block device a job drives.
public enum IOEngine: String, CaseIterable, Sendable {
  /// Submit and poll on the job's own reactor: the fast path.
  case poll
  /// The `async` functions, one task per slot of the queue depth.
  case async
}
