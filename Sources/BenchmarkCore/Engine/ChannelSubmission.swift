/// What became of a command.
@frozen public enum ChannelSubmission: Sendable {
  /// A completion will follow.
  case accepted
  /// Nothing happened; collect completions and try again.
  case busy
  /// It failed at once; no completion follows. The channel's `failureDescription` says why.
  case refused
}
