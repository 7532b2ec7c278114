/// What becomes of an export.
public enum ExportEvent: Sendable, Hashable {
  /// The device has another size, or can do something else. Requests are held against the new limits from now on.
  /// News of several threads may come in any order: what counts is ``Export/limits``.
  case limitsChanged(ExportLimits)
  /// No new client is taken. Those that are there let their requests end, then go.
  case ended(ExportEndReason)
}
