/// fio's `thinktime_blocks_type`: which I/Os count towards a think-time pause. The pause itself begins when none is in
/// flight.
public enum ThinkTimeTrigger: String, CaseIterable, Sendable {
  case complete
  case issue
}
