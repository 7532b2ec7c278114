/// Why an export is no more.
public enum ExportEndReason: String, Sendable, Hashable {
  /// Whoever made it has taken it back.
  case removed
  /// The device does not exist any more.
  case deviceGone
  /// What serves it is shutting down.
  case shutdown
}
