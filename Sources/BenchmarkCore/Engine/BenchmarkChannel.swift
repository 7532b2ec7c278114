/// Where a job's I/O goes: a block device's channel, or a test's fake. Used on the job's thread alone.
///
/// Jobs are generic over it, so that the calls of the I/O path are direct.
public protocol BenchmarkChannel: ~Copyable {
  mutating func submit(_ command: ChannelCommand) -> ChannelSubmission

  /// Moves I/O forward and collects completions.
  ///
  /// - Parameter waitNanoseconds: how long to wait when there is none; 0 does not wait.
  /// - Returns: how many were stored from the start of `completions`.
  mutating func poll(
    into completions: UnsafeMutableBufferPointer<ChannelCompletion>, waitNanoseconds: UInt64
  ) -> Int

  /// Why the last failed or refused command failed. Off the I/O path.
  func failureDescription() -> String
}
