/// fio's `--eta`: when the live status line is shown.
public enum ProgressDisplay: String, CaseIterable, Sendable {
  /// On a terminal.
  case auto
  case always
  case never
}
