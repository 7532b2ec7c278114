/// fio's `thinktime_blocks_type`: which I/Os count towards a think-time pause.
public enum ThinkTimeTrigger: String, CaseIterable, Sendable {
  case complete
  case issue
}
