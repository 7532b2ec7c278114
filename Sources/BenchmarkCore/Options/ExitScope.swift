/// fio's `exit_what`: which jobs end when one with `exitall` has ended.
public enum ExitScope: String, CaseIterable, Sendable {
  /// Those of its report group.
  case group
  /// Those since the last `stonewall`, of whatever group.
  case stonewall
  case all
}
