/// What became of a request given to a ``BlockChannel``.
@frozen public enum BlockSubmission: Sendable, Hashable {
  /// It is on its way; its completion will be polled.
  case accepted
  /// The channel is full: nothing has happened; poll completions, then try again.
  case busy
  /// It was refused; no completion follows.
  case refused(BlockRefusal)
}
